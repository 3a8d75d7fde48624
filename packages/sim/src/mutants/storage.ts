// Planted bugs of what is kept on disk.
import { type Mutant, NODE_STOPS } from "./mutant.ts";

export const STORAGE_MUTANTS: readonly Mutant[] = [
  {
    name: "answers-before-the-sync",
    what: "the driver hands out votes and acknowledgements when the write was begun, not when it is done",
    edits: [
      {
        file: "packages/node/src/replication/driver.ts",
        search: "this.#ports.logStore.append({ hardState, entries: message.entries }).then(",
        replacement:
          "(this.#ports.logStore.append({ hardState, entries: message.entries }).catch(() => {}), Promise.resolve()).then(",
      },
    ],
    caughtBy: ["durable promises", "P1 durable", "Election Safety"],
    seedsMax: 2,
  },
  {
    name: "hard-state-forgotten",
    what: "a restarted node has forgotten its term and its vote",
    edits: [
      {
        file: "packages/raft/src/raw-node.ts",
        search: `      r.term = hardState.term;
      r.vote = hardState.vote;`,
        replacement: "      r.term = Math.max(0, hardState.term - 1);",
      },
    ],
    caughtBy: ["durable promises", "Election Safety", "Leader Completeness", NODE_STOPS],
    seedsMax: 4,
  },
  {
    name: "shorter-log-votes",
    what: "a log that reopened shorter after a flipped byte goes on as if it were whole",
    edits: [
      {
        file: "packages/store/src/high-water.ts",
        search: "  if (log.lastIndex < water.lastIndex) {",
        replacement: "  if (log.lastIndex < 0) {",
      },
      {
        file: "packages/store/src/high-water.ts",
        search: "    if (term !== water.lastTerm) {",
        replacement: "    if (term !== undefined && term !== water.lastTerm) {",
      },
    ],
    caughtBy: [
      "durable promises",
      "P1 durable",
      "Leader Completeness",
      "State Machine Safety",
      NODE_STOPS,
    ],
    seedsMax: 6,
    worlds: { damageDisk: true },
  },
  {
    name: "applied-index-outside",
    what: "the applied index is written in a transaction after that of the data",
    edits: [
      {
        file: "packages/chat/src/machine.ts",
        search: "      this.#saveMeta(confState ?? this.#confState);",
        replacement:
          '      this.#db.exec("COMMIT");\n      this.#db.exec("BEGIN IMMEDIATE");\n      this.#saveMeta(confState ?? this.#confState);',
      },
    ],
    caughtBy: ["State Machine Safety", "P2 once", NODE_STOPS],
    seedsMax: 6,
  },
];
