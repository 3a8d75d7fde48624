import { MemoryChatDisk, MemoryChatStore, SqliteChatStore, SqliteLogStore } from "../src/index.ts";
import { chatStoreContract } from "./contract/chat-store-contract.ts";
import { silentLogger } from "./fake-chat-store.ts";
import { scratchDirectory } from "./scratch-directory.ts";

chatStoreContract("memory", () => {
  const disk = new MemoryChatDisk();
  return {
    prepare: async () => {},
    store: () => new MemoryChatStore(disk),
    dispose: async () => {},
  };
});

chatStoreContract("SQLite", () => {
  const directory = scratchDirectory();
  const { dbPath } = directory;
  const log = new SqliteLogStore(dbPath);
  return {
    prepare: async () => {
      await log.open();
    },
    store: () => new SqliteChatStore({ dbPath, owner: log, logger: silentLogger() }),
    dispose: async () => {
      await log.close();
      directory.remove();
    },
  };
});
