// Planted bugs of members that vote and keep no chat.
import { LIVENESS, type Mutant, NODE_STOPS } from "./mutant.ts";

const WITNESSED = { nodes: 5, witnesses: 2, spares: 0, damageDisk: false } as const;

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
    caughtBy: [LIVENESS, NODE_STOPS, "P7 quick failover"],
    seedsMax: 16,
    // Busy, so that the logs are cut while somebody is away.
    worlds: {
      ...WITNESSED,
      healsQuorumFirst: true,
      isSparse: false,
      operationGapUs: 150_000,
    },
  },
];
