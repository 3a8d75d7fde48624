import { MemoryLogDisk, MemoryLogStore, SqliteLogStore } from "../src/index.ts";
import { logStoreContract } from "./contract/log-store-contract.ts";
import { scratchDirectory } from "./scratch-directory.ts";

logStoreContract("memory", () => {
  const disk = new MemoryLogDisk();
  return { store: () => new MemoryLogStore(disk), dispose: () => {} };
});

logStoreContract("SQLite", () => {
  const directory = scratchDirectory();
  return {
    store: () => new SqliteLogStore(directory.dbPath),
    dispose: () => directory.remove(),
  };
});
