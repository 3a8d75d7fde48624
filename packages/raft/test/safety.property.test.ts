/**
 * The core under any schedule: messages lost, doubled, late and out of order, writes that end late or never,
 * crashes, restarts, elections at any time, transfers, reads, membership changes, compaction. What must always
 * hold is checked by `World` after every step; at the end the faults stop, and the cluster must get on.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ConfChange, ConfChangeSingle, ConfChangeTransition } from "../src/index.ts";
import type { WorldMember } from "./world.ts";
import { World } from "./world.ts";

const SIZE = 5;
/** Ticks until a cluster without faults must have a leader and commit. */
const ROUNDS_MAX = 200;
const NO_CONTEXT = new Uint8Array(0);

/** What happens next, with two choices that mean something to some of the kinds. */
interface Step {
  readonly kind: number;
  readonly who: number;
  readonly which: number;
}

type Action = (world: World, member: WorldMember, which: number) => void;

const TRANSITIONS: readonly ConfChangeTransition[] = ["auto", "joint-implicit", "joint-explicit"];
const KINDS = ["add-voter", "add-learner", "remove"] as const;

function changeOf(which: number): ConfChange {
  const single = (n: number): ConfChangeSingle => ({
    kind: KINDS[n % 3] ?? "update",
    nodeId: 1 + (Math.floor(n / 3) % SIZE),
  });
  const transition = TRANSITIONS[which % 3] ?? "auto";
  const context = NO_CONTEXT;
  switch (which % 4) {
    case 0:
      return { version: 1, change: single(Math.floor(which / 4)), context };
    case 1:
      return { version: 2, transition: "auto", changes: [], context };
    case 2:
      return { version: 2, transition, changes: [single(Math.floor(which / 7))], context };
    default:
      return {
        version: 2,
        transition,
        changes: [single(Math.floor(which / 5)), single(Math.floor(which / 11))],
        context,
      };
  }
}

/** All that one member has to do, until it waits for others. */
function work(world: World, member: WorldMember): void {
  for (let more = true; more; ) {
    more = world.ready(member);
    more = world.append(member) || more;
    more = world.apply(member) || more;
    more = world.hear(member) || more;
  }
}

/** Each as often as the number says. The first ones get things done, the others get in their way. */
const ACTIONS: readonly [number, Action][] = [
  [3, (w) => void w.settle()],
  [30, work],
  [12, (w, m) => void w.ready(m)],
  [6, (w, m) => void w.append(m)],
  [4, (w, m) => void w.apply(m)],
  [6, (w, m) => void w.hear(m)],
  [
    30,
    (w, _m, n) => {
      for (let i = n % 8; i >= 0; i--) w.deliver(0);
    },
  ],
  [12, (_w, m, n) => void m.node?.propose([Uint8Array.of(n & 0xff, n >> 8)])],
  [6, (_w, m) => m.node?.tick()],
  [3, (w, m) => void (m.node !== null && w.read(m.id))],
  [3, (_w, m, n) => void m.node?.proposeConfChange(changeOf(n))],
  [6, (w, _m, n) => w.deliver(n % Math.max(1, w.network.length))],
  [2, (w, _m, n) => void w.network.splice(n % Math.max(1, w.network.length), 1)],
  [
    2,
    (w, _m, n) => {
      const message = w.network[n % Math.max(1, w.network.length)];
      if (message !== undefined) w.network.push(message);
    },
  ],
  [2, (_w, m) => m.node?.campaign()],
  [1, (_w, m) => m.node?.preCampaign()],
  [1, (_w, m, n) => m.node?.transferLeader(1 + (n % SIZE))],
  [1, (w, m, n) => w.crash(m, n % 4)],
  [3, (w, m) => w.restart(m)],
  [1, (w, m) => w.flush(m)],
  [1, (w, m) => w.compact(m)],
  [1, (_w, m, n) => m.node?.reportUnreachable(1 + (n % SIZE))],
  [1, (_w, m, n) => m.node?.reportSnapshot(1 + (n % SIZE), n % 2 === 0)],
];
const WEIGHT = ACTIONS.reduce((sum, [weight]) => sum + weight, 0);

function perform(world: World, { kind, who, which }: Step): void {
  const member = world.members[who];
  let rest = kind;
  for (const [weight, action] of ACTIONS) {
    if (rest < weight) {
      if (member !== undefined) action(world, member, which);
      return;
    }
    rest -= weight;
  }
}

const step = fc.record({
  kind: fc.nat(WEIGHT - 1),
  who: fc.nat(SIZE - 1),
  which: fc.nat(0xffff),
});

const config = fc.record({
  asyncStorageWrites: fc.boolean(),
  preVote: fc.boolean(),
  checkQuorum: fc.boolean(),
  stepDownOnRemoval: fc.boolean(),
  maxSizePerMsg: fc.constantFrom(1, 40, 1_000_000),
  maxCommittedSizePerReady: fc.constantFrom(1, 30, 1_000_000),
  maxInflightMsgs: fc.constantFrom(1, 2, 256),
  maxUncommittedEntriesSize: fc.constantFrom(6, 1_000_000),
});

/** Election timeouts, the same in every run of the same steps. */
function generator(): (n: number) => number {
  let state = 12_345;
  return (n) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * n);
  };
}

/** The faults stop; time passes evenly. Somebody must lead and commit. */
function recover(world: World): void {
  world.network = [];
  world.settle();
  for (const { node } of world.members) {
    // Whoever transports a snapshot has to say when it is lost.
    for (const { id } of world.members) node?.reportSnapshot(id, false);
  }
  for (const member of world.members) world.restart(member);
  world.settle();
  for (let round = 0; round < ROUNDS_MAX; round++) {
    for (const member of world.members) {
      member.node?.tick();
      world.settle();
    }
    for (const id of world.leaders()) {
      if (!world.node(id).status().progress.has(id)) {
        // A removed leader that was not told to step down leads on, without taking proposals: it is
        // switched off.
        world.crash(world.member(id));
      } else if (world.propose(id, `recovered ${round}`).ok) {
        world.settle();
        if (world.texts(id).includes(`recovered ${round}`)) return;
      }
    }
  }
  expect.unreachable("the cluster does not recover");
}

describe("any schedule", () => {
  it("keeps the paper's properties, and the cluster gets on when the faults stop", () => {
    fc.assert(
      fc.property(config, fc.array(step, { maxLength: 600, size: "max" }), (options, steps) => {
        const random = generator();
        const world = new World({
          size: SIZE,
          voters: [1, 2, 3],
          config: { ...options, electionTick: 10, random },
        });
        for (const each of steps) perform(world, each);
        world.checkLogs();
        recover(world);
        world.checkLogs();
      }),
      { numRuns: 150, interruptAfterTimeLimit: 60_000 },
    );
  }, 120_000);
});
