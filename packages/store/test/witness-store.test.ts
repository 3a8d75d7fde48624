// A witness's state in the raft file: it may lag behind its log, but never behind where the log begins.
import type { CopyHead } from "@parley/node/ports";
import { expect, test } from "vitest";
import { MemoryLogDisk, MemoryLogStore, SqliteLogStore, WitnessStore } from "../src/index.ts";
import { THREE_VOTERS } from "./contract/chat-store-contract.ts";
import { entriesOf, entryOf, hardStateOf } from "./contract/log-store-contract.ts";
import { scratchDirectory } from "./scratch-directory.ts";

const SNAPSHOT: CopyHead = {
  copyId: "",
  index: 100,
  term: 2,
  confState: THREE_VOTERS,
  bytes: 0,
  sha256: new Uint8Array(0),
  stateHash: "",
  witness: { membership: { ...THREE_VOTERS, lastChangeId: "newer" }, membershipIndex: 120 },
};

for (const kind of ["SQLite", "memory"]) {
  test(`what is noted while a snapshot is installed does not take its place (${kind})`, async () => {
    const directory = scratchDirectory();
    const disk = new MemoryLogDisk();
    const open = () =>
      kind === "memory" ? new MemoryLogStore(disk) : new SqliteLogStore(directory.dbPath);

    const log = open();
    await log.open();
    const witness = new WitnessStore(log);
    await witness.open(THREE_VOTERS);
    await log.append({ hardState: hardStateOf(1, 1, 20), entries: entriesOf(1, 21) });
    const entries = entriesOf(1, 21).map((entry) => ({ ...entry, command: entry.data }));
    await witness.apply({ entries, confState: undefined });
    const installing = witness.install(SNAPSHOT, hardStateOf(2, 1, 100));
    // As compaction does, which knows nothing of it.
    await witness.checkpoint();
    await installing;
    await log.append({ hardState: hardStateOf(2, 1, 101), entries: [entryOf(101, 2)] });
    await log.close();

    const again = open();
    expect((await again.open()).compactedIndex).toBe(100);
    const chat = await new WitnessStore(again).open(THREE_VOTERS, 100);
    expect(chat.admission.appliedIndex).toBe(100);
    expect(chat.confState?.lastChangeId).toBe("newer");
    await again.close();
    directory.remove();
  });
}
