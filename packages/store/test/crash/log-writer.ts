// A process that appends to a log until it is killed, and says what it does: `begin` before it asks
// for a write, `ack` when the store has acknowledged it. Standard output is written synchronously, so
// a line is out before the next step is taken.
// Arguments: db_path, seed, writes under way at once, synchronous, writes at the most.
import { writeSync } from "node:fs";
import { SqliteLogStore } from "../../src/index.ts";
import { type ModelWrite, plannedWrites, toLogWrite } from "./log-model.ts";

const [dbPath = "", seed = "1", concurrency = "1", synchronous = "FULL", count = "1000000"] =
  process.argv.slice(2);

const store = new SqliteLogStore(dbPath, { synchronous: synchronous === "OFF" ? "OFF" : "FULL" });
const { lastIndex, hardState } = await store.open();
say("open", [lastIndex, hardState.term]);

const plan = plannedWrites(Number(seed), { lastIndex, term: hardState.term });
let left = Number(count);

async function keepWriting(): Promise<void> {
  while (left > 0) {
    left -= 1;
    const write = plan.next().value;
    say("begin", [write.first, write.last, write.term, write.vote]);
    await store.append(toLogWrite(write));
    say("ack", [write.first, write.last, write.term, write.vote]);
  }
}

try {
  await Promise.all(Array.from({ length: Number(concurrency) }, keepWriting));
  await store.close();
  say("done", []);
} catch (cause) {
  say("failed", [cause instanceof Error && "kind" in cause ? String(cause.kind) : String(cause)]);
  process.exitCode = 1;
  // The store must stay broken: every later call is refused with the first failure.
  await store.append(toLogWrite({ first: 1, last: 1, term: 1, vote: 1 } satisfies ModelWrite)).then(
    () => say("healed", []),
    () => say("still-failed", []),
  );
  await store.close().catch(() => {});
}

function say(what: string, fields: readonly (string | number)[]): void {
  writeSync(1, `${[what, ...fields].join(" ")}\n`);
}
