// Planted bugs of the consensus core.
import type { WorldOptions } from "../options.ts";
import { LIVENESS, type Mutant, NODE_STOPS, onlyFaults } from "./mutant.ts";

const DURABLE = "durable promises";
const DIVERGED = ["Leader Completeness", "State Machine Safety", "Log Matching", NODE_STOPS];

/** Far apart, so that something is always on its way. */
const WIDE: WorldOptions["network"] = {
  latencyUsMin: 5_000,
  latencyUsMean: 20_000,
  bytesPerSecond: 100_000_000,
  backlogBytesMax: 1024 * 1024,
  dialTimeoutUs: 1_000_000,
  keepaliveUs: 4_000_000,
};

export const CONSENSUS_MUTANTS: readonly Mutant[] = [
  {
    name: "vote-before-durable",
    what: "a vote is sent before it is on disk",
    edits: [
      {
        file: "packages/raft/src/state.ts",
        search: `      case "MsgPreVoteResp":
        this.messagesAfterAppend.push(`,
        replacement: `      case "MsgPreVoteResp":
        (outgoing.to === this.id ? this.messagesAfterAppend : this.messages).push(`,
      },
    ],
    caughtBy: [DURABLE, "Election Safety"],
    seedsMax: 4,
  },
  {
    name: "ack-before-durable",
    what: "a follower acknowledges entries before they are on disk",
    edits: [
      {
        file: "packages/raft/src/state.ts",
        search: `      case "MsgAppResp":
        this.messagesAfterAppend.push(`,
        replacement: `      case "MsgAppResp":
        (outgoing.to === this.id ? this.messagesAfterAppend : this.messages).push(`,
      },
    ],
    caughtBy: [DURABLE, "P1 durable"],
    seedsMax: 2,
  },
  {
    name: "vote-cleared-on-step-down",
    what: "a candidate that steps down in its own term forgets its vote",
    edits: [
      {
        file: "packages/raft/src/state.ts",
        search: `    if (this.term !== term) {
      this.term = term;
      this.vote = NONE;
    }`,
        replacement: `    this.term = term;
    this.vote = NONE;`,
      },
    ],
    caughtBy: [DURABLE, "Election Safety"],
    seedsMax: 4,
  },
  {
    name: "second-vote-in-a-term",
    what: "a vote is given to whoever asks last in a term",
    edits: [
      {
        file: "packages/raft/src/election.ts",
        search: "    r.vote === m.from ||",
        replacement: `    type === "MsgVote" ||`,
      },
    ],
    caughtBy: [DURABLE, "Election Safety", NODE_STOPS],
    seedsMax: 10,
  },
  {
    name: "vote-for-a-shorter-log",
    what: "votes are given without comparing the logs (5.4.1)",
    edits: [
      {
        file: "packages/raft/src/election.ts",
        search: "const granted = free && r.log.isUpToDate({ term: m.logTerm, index: m.index });",
        replacement: "const granted = free;",
      },
    ],
    caughtBy: DIVERGED,
    seedsMax: 4,
  },
  {
    name: "commit-by-counting",
    what: "entries of an older term are committed by counting their copies (5.4.2, figure 8)",
    edits: [
      {
        file: "packages/raft/src/log.ts",
        search: "index <= this.committed || !this.matchTerm(index, term)) return false;",
        replacement: "index <= this.committed) return false;",
      },
    ],
    caughtBy: ["commit rule", ...DIVERGED],
    seedsMax: 6,
    // Large entries and little memory, so that what a follower lacks comes to it in parts, and leaders that go when they have written
    // much that nobody has committed.
    worlds: {
      ...onlyFaults(
        { partition: 4, "one-way-cut": 2, "kill-leader": 3, "isolate-leader": 1 },
        900_000,
      ),
      nodes: 5,
      witnesses: 0,
      spares: 0,
      bodyBytesMax: 4_000,
      tuning: {
        tickMs: 10,
        heartbeatTicks: 5,
        electionTicks: 60,
        logCacheBytesMax: 8 * 1024,
        logEntriesMax: 100_000,
        logBytesMax: 2 ** 30,
      },
    },
  },
  {
    name: "applied-before-it-is-stored",
    what: "a member applies what is committed, although its own disk does not have it yet",
    edits: [
      {
        file: "packages/raft/src/log.ts",
        search:
          "return allowUnstable ? this.committed : Math.min(this.committed, this.unstable.offset - 1);",
        replacement: "return allowUnstable || this.committed > 0 ? this.committed : 0;",
      },
    ],
    caughtBy: ["P1 durable", "State Machine Safety", NODE_STOPS],
    seedsMax: 5,
  },
  {
    name: "append-truncates",
    what: "an old, shorter append cuts off acknowledged entries behind it",
    edits: [
      {
        file: "packages/raft/src/log.ts",
        search: "const conflict = this.#findConflict(entries);",
        replacement: "const conflict = entries[0]?.index ?? 0;",
      },
    ],
    caughtBy: [DURABLE, "P1 durable", LIVENESS, ...DIVERGED],
    seedsMax: 6,
    worlds: { datagrams: { loss: 0.05, duplication: 0.3, reordering: 0.3 } },
  },
  {
    name: "heartbeat-commits-past-the-match",
    what: "heartbeats carry the leader's commit index to followers whose logs differ",
    edits: [
      {
        file: "packages/raft/src/replication.ts",
        search: "const commit = Math.min(progress.match, r.log.committed);",
        replacement: "const commit = r.log.committed;",
      },
    ],
    caughtBy: ["commit rule", ...DIVERGED],
    seedsMax: 4,
  },
  {
    name: "stale-storage-ack",
    what: "a storage acknowledgement of an older term counts for entries that replaced what was written",
    edits: [
      {
        file: "packages/raft/src/unstable.ts",
        search: "    if (found !== term) {",
        replacement: "    if (found < 0) {",
      },
      {
        file: "packages/raft/src/raft.ts",
        search: `    if (m.snapshot !== null) appliedSnapshot(r, m.snapshot);
  } else {`,
        replacement: `    if (m.index !== 0) r.log.unstable.stableTo(m.index, m.logTerm);
    if (m.snapshot !== null) appliedSnapshot(r, m.snapshot);
  } else {`,
      },
    ],
    caughtBy: [DURABLE, "P1 durable", LIVENESS, ...DIVERGED],
    seedsMax: 80,
    worlds: onlyFaults({ "disk-stall": 4, "isolate-leader": 3, "kill-leader": 2 }, 700_000),
  },
  {
    name: "read-before-own-commit",
    what: "a new leader answers reads before it has committed in its own term (6.4)",
    edits: [
      {
        file: "packages/raft/src/reads.ts",
        search: "  if (committedInOwnTerm(r)) proveAndAnswer(r, request);",
        replacement: "  if (r.term > 0) proveAndAnswer(r, request);",
      },
    ],
    caughtBy: ["P4 no going back", "linearizability"],
    seedsMax: 40,
    worlds: {
      ...onlyFaults({ "kill-leader": 1 }, 1_000_000),
      network: WIDE,
    },
  },
  {
    name: "read-context-reused",
    what: "all reads share one context, so that old answers confirm new reads",
    edits: [
      {
        file: "packages/raft/src/read-rounds.ts",
        search: "    this.#round++;",
        replacement: "    this.#round = 1;",
      },
      {
        file: "packages/raft/src/read-rounds.ts",
        search: "|| round <= (this.#acked.get(from) ?? 0)) return false;",
        replacement: ") return false;",
      },
    ],
    caughtBy: ["P4 no going back", "linearizability"],
    seedsMax: 60,
    worlds: {
      // A leader on the smaller side that isn't alone there, with people on both sides, for as long as its term allows.
      ...onlyFaults({ partition: 1 }, 2_000_000),
      nodes: 5,
      spares: 0,
      witnesses: 0,
      operationGapUs: 40_000,
      tuning: { tickMs: 10, heartbeatTicks: 5, electionTicks: 60 },
    },
  },
  {
    name: "commit-lost-at-restart",
    what: "a restarted node begins with what it has applied as its commit index",
    edits: [
      {
        file: "packages/raft/src/raw-node.ts",
        search: "r.log.commitTo(Math.max(hardState.commit, applied));",
        replacement: "r.log.commitTo(applied);",
      },
    ],
    caughtBy: [DURABLE, NODE_STOPS],
    seedsMax: 4,
  },
  {
    name: "transfer-before-it-has-caught-up",
    what: "a leader hands over at once, also to somebody who lacks entries (thesis, 3.10)",
    edits: [
      {
        file: "packages/raft/src/transfer.ts",
        search: "if (progress.match === r.log.lastIndex()) {",
        replacement: "if (progress.match <= r.log.lastIndex()) {",
      },
    ],
    caughtBy: ["leadership transfer"],
    seedsMax: 3,
  },
  {
    name: "transfer-never-given-up",
    what: "leadership is given to a preferred server that is gone, and until that one answers the leader takes no writes",
    edits: [
      {
        file: "packages/raft/src/leader.ts",
        search: `if (r.state === "StateLeader") r.leadTransferee = NONE;`,
        replacement: `if (r.state !== "StateLeader") r.leadTransferee = NONE;`,
      },
      {
        file: "packages/node/src/preferred-leader.ts",
        search: `        this.#contacts.isLive(raftId) &&
        commit - match <= CLOSE_ENTRIES &&
        priorityOf(raftId) > priority,`,
        replacement: `        !this.#contacts.isLive(raftId) &&
        commit - match < Number.POSITIVE_INFINITY &&
        priorityOf(raftId) >= priority,`,
      },
    ],
    caughtBy: [LIVENESS, "P7 quick failover"],
    seedsMax: 6,
    worlds: { spares: 0, healsQuorumFirst: true },
  },
];
