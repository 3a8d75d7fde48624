// One seed derives every option of a world: how many nodes and clients, how the network and the
// disks behave, how the nodes are tuned, which faults come how often.
import { DEFAULT_TUNING, type NodeTuning } from "@parley/node";
import {
  ACTIVE_US_MIN,
  ACTIVE_US_MORE,
  type Density,
  INTRUDER_GAP_US,
  isSparse,
  OPERATOR_GAP_US,
  sparser,
} from "./density.ts";
import type { ChatDiskOptions } from "./world/chat-disk.ts";
import type { ClockOptions } from "./world/clock.ts";
import type { DiskOptions } from "./world/log-disk.ts";
import type { NetworkOptions } from "./world/network.ts";
import { Prng } from "./world/prng.ts";

export const FAULT_KINDS = [
  "kill",
  "kill-leader",
  "kill-two",
  "kill-all",
  "power-cut",
  "crash-while-writing",
  "terminate",
  "pause",
  "pause-leader",
  "suspend",
  "slow-node",
  "partition",
  "isolate-leader",
  "one-way-cut",
  "break-link",
  "slow-link",
  "garbage-frame",
  "disk-stall",
  "sync-failure",
  "disk-full",
  "disk-nearly-full",
  "chat-file-lost",
  "copy-damaged",
  "crash-while-copying",
  "wall-jump",
  "client-crash",
  "client-cut",
  "crash-in-phase",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** Peer frames are mistreated one by one, as a network of datagrams would. */
export interface DatagramOptions {
  readonly loss: number;
  readonly duplication: number;
  readonly reordering: number;
}

export interface WorldOptions extends Density {
  readonly seed: number;
  readonly isSparse: boolean;
  readonly nodes: number;
  /** How many of the nodes, the last ones, are witnesses: they vote, and keep no chat. */
  readonly witnesses: number;
  /** Machines that may join; 0 = the membership stays, and nobody loses a disk. */
  readonly spares: number;
  /** The last of these machines is started as a witness. */
  readonly isSpareWitness: boolean;
  readonly clients: number;
  readonly faultWeights: Readonly<Record<FaultKind, number>>;
  /** A node whose disk is damaged in this seed, for ever. */
  readonly damageDisk: boolean;
  readonly network: NetworkOptions;
  readonly datagrams: DatagramOptions | undefined;
  readonly logDisk: DiskOptions;
  readonly chatDisk: ChatDiskOptions;
  readonly clock: ClockOptions;
  readonly tuning: NodeTuning;
  readonly bodyBytesMax: number;
  /** At the end first only a majority is healed, and must do without the rest (P6), then everything. */
  readonly healsQuorumFirst: boolean;
  /** All begin with an older program, and are upgraded one after the other from then on; undefined = all run the newest. */
  readonly upgradeAfterUs: number | undefined;
}

/** Changes of what a seed derives. */
export type WorldOverride = Partial<Omit<WorldOptions, "tuning">> & {
  readonly tuning?: Partial<NodeTuning>;
};

/** Operations that a seed must reach, and faults. */
export const OPERATIONS_MIN = 1_000;
export const FAULTS_MIN = 10;

/** `sparse`: instead of what the seed says. */
export function optionsOf(seed: number, sparse = isSparse(seed)): WorldOptions {
  const random = new Prng(seed).branch("options");
  const nodes = random.chance(0.5) ? 3 : 5;
  const spares = random.chance(0.5) ? random.between(1, 2) : 0;
  const wide = random.chance(0.2);
  const clients = random.between(4, 7);
  const faultWeights = {} as Record<FaultKind, number>;
  // Swarm testing: each seed leaves out some kinds, so that the others meet in new combinations.
  for (const kind of FAULT_KINDS) {
    if (kind === "crash-in-phase") continue;
    faultWeights[kind] = random.chance(0.75) ? random.between(1, 6) : 0;
  }
  const inPhase = new Prng(seed).branch("crash-while-compacting");
  faultWeights["crash-in-phase"] = inPhase.chance(0.1) ? inPhase.between(3, 8) : 0;
  faultWeights["kill-all"] = Math.min(faultWeights["kill-all"], 1);
  faultWeights["break-link"] += 1;
  faultWeights["kill-leader"] += 1;
  // Ticks are most of what a quiet world costs.
  const tickMs = random.pick(sparse ? [10, 25, 25, 25] : [10, 10, 25]);
  const { witnesses, isSpareWitness } = drawWitnesses(seed, nodes, spares);
  const activeUs = ACTIVE_US_MIN + random.int(ACTIVE_US_MORE);
  const faultGapUs = random.between(1_000_000, 3_000_000);
  const density = (): Density => {
    const operationGapUs = clients * random.between(46_000, 66_000);
    const [operatorGapUs, intruderGapUs] = [OPERATOR_GAP_US, INTRUDER_GAP_US];
    const dense = { activeUs, faultGapUs, operationGapUs, operatorGapUs, intruderGapUs };
    return sparse ? sparser(seed, clients, dense) : dense;
  };
  return {
    seed,
    isSparse: sparse,
    nodes,
    witnesses,
    spares,
    isSpareWitness,
    clients,
    faultWeights,
    // With witnesses the log is kept for a data node that is away, for ever if nobody takes its place.
    damageDisk: random.chance(0.1) && (witnesses === 0 || spares > 0),
    network: {
      latencyUsMin: wide ? random.between(1_000, 8_000) : random.between(30, 500),
      latencyUsMean: wide ? random.between(9_000, 20_000) : random.between(600, 3_000),
      bytesPerSecond: random.pick([10_000_000, 100_000_000]),
      backlogBytesMax: random.pick([1024 * 1024, 16 * 1024 * 1024]),
      dialTimeoutUs: random.between(1_000_000, 4_000_000),
      keepaliveUs: random.between(2_000_000, 12_000_000),
    },
    datagrams: random.chance(0.25)
      ? {
          loss: random.unit() * 0.1,
          duplication: random.unit() * 0.1,
          reordering: random.unit() * 0.2,
        }
      : undefined,
    logDisk: {
      syncUsMin: random.between(50, 300),
      syncUsMean: random.pick([350, 800, 5_000, 15_000]),
      readUsMean: random.between(50, 500),
      capacityBytes: 2 ** 33,
    },
    chatDisk: {
      applyUsMean: random.pick([100, 500, 3_000]),
      readUsMean: random.pick([100, 1_000]),
      checkpointEntries: random.pick([20, 200, 1_000]),
      copyBytesPerSecond: random.pick([2_000_000, 20_000_000]),
    },
    clock: { driftPpmMax: 500, wallSkewMsMax: random.pick([0, 50, 5_000]) },
    tuning: {
      ...DEFAULT_TUNING,
      tickMs,
      heartbeatTicks: 50 / tickMs,
      electionTicks: 300 / tickMs,
      logCacheBytesMax: random.pick([16 * 1024, 256 * 1024, 64 * 1024 * 1024]),
      pendingWritesMax: random.pick([64, 16_384]),
      // Short logs, so that a node that was away for a moment needs a copy, and slow copies, so that
      // something happens to them.
      logEntriesMax: random.pick([40, 100, 300, 100_000]),
      logTailEntries: random.pick([5, 20]),
      logBytesMax: random.pick([32 * 1024, 1024 * 1024]),
      copyBytesPerSecond: random.pick([1_000_000, 3_000_000, 10_000_000]),
      copyChunkBytes: random.pick([8 * 1024, 64 * 1024]),
      copyIdleMs: random.pick([3_000, 10_000]),
      ...(spares > 0 ? { autopilotDeadMs: random.pick([0, 2_000, 5_000]) } : {}),
      autopilotVotersMin: nodes === 5 ? new Prng(seed).branch("autopilot").pick([3, 5]) : 3,
    },
    ...density(),
    bodyBytesMax: random.pick([40, 200, 4_000]),
    healsQuorumFirst: random.chance(0.4),
    upgradeAfterUs: random.chance(0.4) ? random.between(2_000_000, 30_000_000) : undefined,
  };
}

/**
 * Where the membership stays: three with a chat and two without, any two of the three may be away (P6). Where it changes, the fewest
 * too, and one witness more that may join.
 */
function drawWitnesses(
  seed: number,
  nodes: number,
  spares: number,
): Pick<WorldOptions, "witnesses" | "isSpareWitness"> {
  const root = new Prng(seed);
  if (spares === 0) {
    const isWitnessed = nodes === 5 && root.branch("witnesses").chance(0.5);
    return { witnesses: isWitnessed ? 2 : 0, isSpareWitness: false };
  }
  const random = root.branch("witnesses and spares");
  if (random.chance(0.6)) return { witnesses: 0, isSpareWitness: false };
  const witnesses = nodes === 5 ? random.pick([1, 2, 2]) : 1;
  return { witnesses, isSpareWitness: random.chance(0.3) };
}
