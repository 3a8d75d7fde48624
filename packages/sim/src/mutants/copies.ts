// Planted bugs of copies of the chat file, and of the log that is forgotten because of them. The simulator has a disk of its own, so
// what `packages/store` does in one transaction is planted there; `packages/store/test/crash` kills real processes around the real one.
import { LIVENESS, type Mutant, NODE_STOPS, onlyFaults } from "./mutant.ts";

/** Short logs and slow copies, so that whoever was away for a moment needs one, and much can happen to it. */
const COPYING = {
  damageDisk: false,
  tuning: { logEntriesMax: 40, logTailEntries: 5, copyIdleMs: 3_000, copyChunkBytes: 8 * 1024 },
} as const;

export const COPIES_MUTANTS: readonly Mutant[] = [
  {
    name: "log-forgotten-too-far",
    what: "the log is forgotten up to what is applied, durably or not",
    edits: [
      {
        file: "packages/node/src/replication/log-compaction.ts",
        search: `    let durable = chatStore.durableApplied;
    if (durable < target) durable = await chatStore.checkpoint();
    const index = Math.min(target, durable);`,
        replacement: `    const index = chatStore.durableApplied < 0 ? 0 : target;`,
      },
    ],
    caughtBy: ["P1 durable"],
    seedsMax: 3,
  },
  {
    name: "copy-installed-in-two-steps",
    what: "the log is reset in a transaction before the one that moves the pointer to the copy",
    edits: [
      {
        file: "packages/sim/src/world/log-disk.ts",
        search: `    await this.#submit({ kind: "install", install });`,
        replacement: `    const { generation } = this.#disk;
    await this.#submit({ kind: "install", install: { ...install, generation } });
    await this.#submit({ kind: "install", install });`,
      },
    ],
    caughtBy: ["P1 durable"],
    seedsMax: 3,
    worlds: {
      ...COPYING,
      ...onlyFaults({ kill: 1, "crash-while-copying": 4 }, 500_000),
      logDisk: { syncUsMin: 300, syncUsMean: 15_000, readUsMean: 100, capacityBytes: 2 ** 33 },
      tuning: { ...COPYING.tuning, copyChunkBytes: 256 * 1024 },
    },
  },
  {
    name: "copy-with-the-membership-to-come",
    what: "a copy is sent with the membership that its leader has appended, not with the one that is in it",
    edits: [
      {
        file: "packages/raft/src/proposals.ts",
        search: "      r.promoting = promotedBy(r, change);",
        replacement: `      r.promoting = promotedBy(r, change);
      const next = nextConfig(r.tracker, r.log.lastIndex(), change);
      if (next.ok) Object.assign(r, { appended: next.config });`,
      },
      {
        file: "packages/raft/src/replication.ts",
        search: `  r.send({ type: "MsgSnap", to, snapshot });`,
        replacement: `  const { appended } = r as { appended?: typeof snapshot.confState };
  r.send({ type: "MsgSnap", to, snapshot: { ...snapshot, confState: appended ?? snapshot.confState } });`,
      },
    ],
    caughtBy: ["P8 safe growth", NODE_STOPS],
    seedsMax: 6,
    worlds: { ...COPYING, spares: 2 },
  },
  {
    name: "damaged-copy-installed",
    what: "a copy is installed although its hashes do not fit",
    edits: [
      {
        file: "packages/sim/src/world/copy-disk.ts",
        search: "if (!isSameCopy({ ...head, sha256: sha256Of(incoming.bytes) }, head)) {",
        replacement: "if (incoming.received < head.bytes) {",
      },
      {
        file: "packages/sim/src/world/copy-disk.ts",
        search: `      const found = headOf(head.copyId, incoming.bytes);
      if (!isSameState(found, head)) throw failure("it is not what it says");`,
        replacement: `      if (!isSameState(head, head)) throw failure("it is not what it says");`,
      },
    ],
    caughtBy: ["State Machine Safety", LIVENESS, NODE_STOPS],
    seedsMax: 3,
    worlds: { ...COPYING, ...onlyFaults({ kill: 2, "copy-damaged": 4 }, 700_000) },
  },
  {
    name: "two-copies-mixed",
    what: "a transfer that broke off goes on with the rest of another copy, and what came of it is not verified",
    edits: [
      {
        file: "packages/sim/src/world/copy-disk.ts",
        search:
          "if (incoming !== undefined && isSameCopy(incoming.head, head) && !incoming.isVerified) {",
        replacement: `if (incoming !== undefined && incoming.head.bytes <= head.bytes && !incoming.isVerified) {
        const bytes = new Uint8Array(head.bytes);
        bytes.set(incoming.bytes);
        Object.assign(incoming, { head, bytes });`,
      },
      {
        file: "packages/sim/src/world/copy-disk.ts",
        search: "if (!isSameCopy({ ...head, sha256: sha256Of(incoming.bytes) }, head)) {",
        replacement: "if (incoming.received < head.bytes) {",
      },
      {
        file: "packages/sim/src/world/copy-disk.ts",
        search: `      const found = headOf(head.copyId, incoming.bytes);
      if (!isSameState(found, head)) throw failure("it is not what it says");`,
        replacement: `      if (!isSameState(head, head)) throw failure("it is not what it says");`,
      },
    ],
    caughtBy: ["State Machine Safety", "P1 durable", LIVENESS, NODE_STOPS],
    seedsMax: 2,
    worlds: { ...COPYING, ...onlyFaults({ kill: 3, "crash-while-copying": 4 }, 700_000) },
  },
];
