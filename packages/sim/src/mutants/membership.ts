// Planted bugs of servers that come, go and lose their disks.
import { LIVENESS, type Mutant, NODE_STOPS, onlyFaults } from "./mutant.ts";

const AUTOPILOT = "autopilot";

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
        search: "const farewell = outOfTheCluster();",
        replacement: "const farewell = removedError();",
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
    seedsMax: 60,
    // Who has just begun to lead has not heard of those that are cut off.
    worlds: { upgradeAfterUs: 10_000_000, ...onlyFaults({ partition: 3, kill: 1 }, 2_000_000) },
  },
  {
    name: "change-before-own-commit",
    what: "a new leader takes a change of the membership before it has committed in its own term (the single-server bug of 2015)",
    edits: [
      {
        file: "packages/raft/src/roles.ts",
        search: "r.pendingConfIndex = r.log.lastIndex();",
        replacement: "r.pendingConfIndex = 0;",
      },
      {
        file: "packages/node/src/membership/membership-office.ts",
        search: `if (raft.applied < this.#firstIndexOfTerm) return "earlier";`,
        replacement: "",
      },
    ],
    caughtBy: ["P8 safe growth", "State Machine Safety", "Log Matching", NODE_STOPS],
    seedsMax: 60,
    worlds: { spares: 2, ...onlyFaults({ "kill-leader": 2, "isolate-leader": 2 }, 700_000) },
  },
  {
    name: "joint-left-twice",
    what: "a leader proposes to leave a joint configuration again while that is under way",
    edits: [
      {
        file: "packages/raft/src/membership.ts",
        search: ` || r.log.applied < r.pendingConfIndex) return;`,
        replacement: ") return;",
      },
      {
        file: "packages/raft/src/proposals.ts",
        search: "if (r.pendingConfIndex > r.log.applied) {",
        replacement: "if (r.pendingConfIndex > r.log.applied && !leaves) {",
      },
    ],
    caughtBy: [NODE_STOPS],
    seedsMax: 6,
    worlds: { spares: 2 },
  },
  {
    name: "joint-for-ever",
    what: "a joint configuration is left only by the leader that entered it",
    edits: [
      {
        file: "packages/raft/src/membership.ts",
        search: `r.state !== "StateLeader" || r.log.applied < r.pendingConfIndex) return;`,
        replacement: `r.state !== "StateLeader" || r.log.applied < r.pendingConfIndex || r.pendingConfIndex < r.termStart) return;`,
      },
      {
        file: "packages/node/src/membership/membership-office.ts",
        search:
          "if (!isJoint(this.#roster.membership) || applied < lastIndex || leadTransferee !== 0) return;",
        replacement: "if (applied + lastIndex + leadTransferee >= 0) return;",
      },
    ],
    caughtBy: [LIVENESS],
    seedsMax: 40,
    worlds: { spares: 2, ...onlyFaults({ "kill-leader": 2, "isolate-leader": 2 }, 700_000) },
  },
  {
    name: "removed-leader-leads-on",
    what: "a leader that has been removed goes on leading, and nobody refuses it",
    edits: [
      {
        file: "packages/raft/src/membership.ts",
        search: "if (r.settings.stepDownOnRemoval) becomeFollower(r, r.term, NONE);",
        replacement: "if (r.term < 0) becomeFollower(r, r.term, NONE);",
      },
      {
        file: "packages/node/src/running-node.ts",
        search: `    if (this.#roster.standing === "removed") {`,
        replacement: `    if (this.#roster.standing === "removed" && this.#driver.raft.state !== "StateLeader") {`,
      },
      {
        file: "packages/node/src/membership/change-plan.ts",
        search: `if (raftId === situation.leaderRaftId) return handOver(\`server \${id} is to be removed\`);`,
        replacement: "",
      },
      {
        file: "packages/node/src/running-node.ts",
        search: `standingOf(this.#roster.membership, raftId) === "removed" ? removedError() : undefined,`,
        replacement: "raftId < 0 ? removedError() : undefined,",
      },
    ],
    caughtBy: ["P8 safe growth", LIVENESS, "P7 quick failover"],
    seedsMax: 32,
    worlds: { spares: 2 },
  },
  {
    name: "stale-learner-promoted",
    what: "a learner is given a vote before it has caught up",
    edits: [
      {
        file: "packages/node/src/membership/membership-office.ts",
        search: `        situation.lag(raftId) <= CAUGHT_UP_ENTRIES &&
        !situation.lacksEntries(raftId);`,
        replacement: "        raftId > 0;",
      },
      {
        file: "packages/node/src/membership/membership-office.ts",
        search: "if (now - since < STEADY_MS || this.#underWay() !== undefined) continue;",
        replacement: "if (now < since || this.#underWay() !== undefined) continue;",
      },
    ],
    caughtBy: ["P8 safe growth", "P7 quick failover", LIVENESS],
    seedsMax: 20,
    // Short logs and slow copies, so that catching up takes its time.
    worlds: {
      spares: 2,
      tuning: { logEntriesMax: 40, logTailEntries: 5, copyBytesPerSecond: 50_000 },
    },
  },
  {
    name: "autopilot-replaces-the-living",
    what: "a voter that was not heard of for a moment counts as dead for good",
    edits: [
      {
        file: "packages/node/src/membership/autopilot.ts",
        search: "silentMs(server.raftId) >= deadMs,",
        replacement: "silentMs(server.raftId) >= 0,",
      },
    ],
    caughtBy: [AUTOPILOT],
    seedsMax: 12,
    worlds: { spares: 2, tuning: { autopilotDeadMs: 5_000, autopilotVotersMin: 3 } },
  },
  {
    name: "autopilot-below-the-minimum",
    what: "a dead voter is replaced although the cluster has fewer voters than it is to have for that",
    edits: [
      {
        file: "packages/node/src/membership/autopilot.ts",
        search: " || voters.length < votersMin) return undefined;",
        replacement: " || voters.length < Math.min(1, votersMin)) return undefined;",
      },
    ],
    caughtBy: [AUTOPILOT],
    seedsMax: 4,
    worlds: {
      nodes: 5,
      spares: 2,
      witnesses: 0,
      tuning: { autopilotDeadMs: 2_000, autopilotVotersMin: 7 },
    },
  },
  {
    name: "spare-votes-before-it-has-caught-up",
    what: "a spare gets the vote of a dead server as soon as it is there",
    edits: [
      {
        file: "packages/node/src/membership/autopilot.ts",
        search: `    isLive(raftId) &&
    lag(raftId) <= CAUGHT_UP_ENTRIES &&
    !lacksEntries(raftId)`,
        replacement:
          "    isLive(raftId) && (lag(raftId) <= CAUGHT_UP_ENTRIES || lacksEntries(raftId) || raftId > 0)",
      },
    ],
    // What waits for its vote waits until it has caught up.
    caughtBy: [AUTOPILOT, "P7 quick failover"],
    seedsMax: 20,
    // Somebody is always dead, and catching up takes its time.
    worlds: {
      nodes: 5,
      spares: 2,
      witnesses: 0,
      ...onlyFaults({ kill: 1 }, 1_500_000),
      tuning: {
        autopilotDeadMs: 1_000,
        autopilotVotersMin: 3,
        logEntriesMax: 40,
        logTailEntries: 5,
        copyBytesPerSecond: 60_000,
      },
    },
  },
];
