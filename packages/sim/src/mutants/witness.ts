// Planted bugs of members that vote and keep no chat.
import { LIVENESS, type Mutant, NODE_STOPS, onlyFaults } from "./mutant.ts";

const FLOOR = "data floor";

const WITNESSED = { nodes: 5, witnesses: 2, spares: 0, damageDisk: false } as const;
const CHANGING = { ...WITNESSED, spares: 2 } as const;
/** Somebody is always behind. */
const BEHIND = onlyFaults(
  { "slow-link": 3, "disk-stall": 3, "isolate-leader": 1, kill: 2 },
  700_000,
);
/** Logs are cut as soon as that may be. */
const SHORT_LOGS = { logEntriesMax: 40, logTailEntries: 5 } as const;

export const WITNESS_MUTANTS: readonly Mutant[] = [
  {
    name: "witness-truncates-what-a-data-node-needs",
    what: "the log is forgotten as if there were no data node that still needs it",
    edits: [
      {
        file: "packages/node/src/replication/log-compaction.ts",
        search:
          "const kept = Math.min(isPatient ? Math.min(target, neededFrom - 1) : target, dataFloor);",
        replacement:
          "const kept = isPatient ? Math.min(target, neededFrom - 1) : dataFloor < 0 ? 0 : target;",
      },
    ],
    caughtBy: [LIVENESS, NODE_STOPS, "P7 quick failover", FLOOR],
    seedsMax: 16,
    // Busy, so that the logs are cut while somebody is away.
    worlds: {
      ...WITNESSED,
      healsQuorumFirst: true,
      isSparse: false,
      operationGapUs: 150_000,
    },
  },
  {
    name: "promoted-below-the-floor",
    what: "a learner becomes a data voter although the others may have forgotten what it lacks",
    edits: [
      {
        file: "packages/raft/src/witness.ts",
        search: "return r.settings.isWitness === null ? 0 : Math.max(r.dataFloor, r.termStart);",
        replacement: "return Math.min(0, r.termStart);",
      },
    ],
    caughtBy: [FLOOR],
    seedsMax: 18,
    worlds: { ...CHANGING, ...BEHIND, operatorGapUs: 1_000_000 },
  },
  {
    name: "witness-begins-past-the-floor",
    what: "a witness that is behind begins its log where the leader is, not where data voters still are",
    edits: [
      {
        file: "packages/raft/src/replication.ts",
        search: "r.isWitness(to) ? raiseDataFloor(r) : NO_LIMIT",
        replacement: "r.isWitness(to) && raiseDataFloor(r) < 0 ? 0 : NO_LIMIT",
      },
    ],
    caughtBy: [FLOOR],
    seedsMax: 6,
    worlds: { ...CHANGING, ...BEHIND, tuning: SHORT_LOGS },
  },
  {
    name: "witness-takes-proposals",
    what: "a witness that leads takes what clients want, as any leader does",
    edits: [
      {
        file: "packages/raft/src/proposals.ts",
        search: `if (r.isWitness(r.id) && proposed.some(({ type }) => type === "EntryNormal")) {`,
        replacement: "if (r.term < 0) {",
      },
      {
        file: "packages/node/src/write-refusals.ts",
        search: "if (this.#roster.isWitness(this.#roster.raftId)) {",
        replacement: "if (this.#roster.raftId < 0) {",
      },
    ],
    caughtBy: ["P6 witnesses"],
    seedsMax: 12,
    worlds: { ...CHANGING, ...onlyFaults({ "kill-two": 3, "isolate-leader": 1 }, 700_000) },
  },
];
