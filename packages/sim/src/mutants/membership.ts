// Planted bugs of servers that come, go and lose their disks.
import { LIVENESS, type Mutant, NODE_STOPS } from "./mutant.ts";

export const MEMBERSHIP_MUTANTS: readonly Mutant[] = [
  {
    name: "wiped-node-votes-again",
    what: "a server that lost its disk is taken back under the raft id of its old self",
    edits: [
      {
        file: "packages/node/src/membership/change-plan.ts",
        search: `      { kind: "remove", nodeId: old.raftId },
      { kind: "add-learner", nodeId: raftId },`,
        replacement: `      { kind: "update", nodeId: old.raftId },`,
      },
      {
        file: "packages/node/src/membership/change-plan.ts",
        search: "servers: [{ ...server, raftId, role: old.role }],",
        replacement: "servers: [{ ...server, raftId: old.raftId, role: old.role }],",
      },
    ],
    caughtBy: ["P9 a wiped disk is a new server", "P8 safe growth", NODE_STOPS],
    seedsMax: 6,
    worlds: { spares: 2 },
  },
  {
    name: "removed-server-takes-others-along",
    what: "a removed server's farewell has the reason that tells the others that they are removed",
    edits: [
      {
        file: "packages/node/src/running-node.ts",
        search: `new ParleyError("NOT_READY", "this server is out of the cluster");`,
        replacement: "removedError();",
      },
    ],
    caughtBy: [LIVENESS, "P7 quick failover"],
    seedsMax: 12,
    worlds: { spares: 2 },
  },
  {
    name: "newer-command-among-older-programs",
    what: "the leader puts a command into the log that not every member's program knows",
    edits: [
      {
        file: "packages/node/src/replication/log-writer.ts",
        search: "if (versionNeeded(command) <= this.#admission.stateVersion) return true;",
        replacement: "if (versionNeeded(command) > 0) return true;",
      },
    ],
    caughtBy: [NODE_STOPS],
    seedsMax: 6,
    worlds: { upgradeAfterUs: 20_000_000 },
  },
  {
    name: "state-version-raised-too-early",
    what: "the state's version rises when those members know it that can be heard",
    edits: [
      {
        file: "packages/node/src/membership/state-versions.ts",
        search: "version = Math.min(version, knownVersion(report?.stateVersion ?? 0));",
        replacement:
          "if (report !== undefined) version = Math.min(version, knownVersion(report.stateVersion));",
      },
    ],
    caughtBy: [NODE_STOPS, LIVENESS, "P7 quick failover"],
    seedsMax: 6,
    worlds: { upgradeAfterUs: 20_000_000 },
  },
];
