// A process that applies the chat script to a chat file until it is killed, and says after each batch
// how far it has come: `applied` and what is durable by then.
// Arguments: db_path, batch.
import { writeSync } from "node:fs";
import { SqliteChatStore, SqliteLogStore } from "../../src/index.ts";
import { chatEntries } from "../contract/chat-script.ts";
import { silentLogger } from "../fake-chat-store.ts";

const [dbPath = "", batch = "10"] = process.argv.slice(2);
const ENTRIES = chatEntries(4_000);

const owner = new SqliteLogStore(dbPath);
await owner.open();
const store = new SqliteChatStore({ dbPath, owner, logger: silentLogger() });
let { appliedIndex } = (await store.open(undefined)).admission;
writeSync(1, `open ${appliedIndex}\n`);
while (appliedIndex < ENTRIES.length) {
  const entries = ENTRIES.slice(appliedIndex, appliedIndex + Number(batch));
  ({ appliedIndex } = await store.apply({ entries, confState: undefined }));
  if (appliedIndex % 7 === 0) await store.checkpoint();
  writeSync(1, `applied ${appliedIndex} durable ${store.durableApplied}\n`);
}
await store.close();
await owner.close();
