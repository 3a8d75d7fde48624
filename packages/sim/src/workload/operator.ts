// An operator, and bad luck with disks: servers are added, promoted, demoted, removed and replaced, leadership
// is moved, and disks are lost, while everything else goes on. Nothing is forced: what would stop the
// cluster has to be refused by itself (P8).

import type { Membership } from "@parley/node";
import {
  AddServerRequest,
  DemoteServerRequest,
  PromoteServerRequest,
  RemoveServerRequest,
  ReplaceServerRequest,
  TransferLeadershipRequest,
} from "@parley/protocol";
import type { Coverage } from "../coverage.ts";
import type { Server } from "../server.ts";
import type { Prng } from "../world/prng.ts";
import type { Scheduler } from "../world/scheduler.ts";
import type { Trace } from "../world/trace.ts";

export interface OperatorParts {
  /** Mean time between two wishes. */
  readonly gapUsMean: number;
  readonly scheduler: Scheduler;
  readonly random: Prng;
  readonly trace: Trace;
  readonly coverage: Coverage;
  /** The first members come first. */
  readonly servers: readonly Server[];
  readonly founders: number;
  /** The newest membership that anybody has applied. */
  membership(): Membership | undefined;
  /** The newest, and those that were it since that time. */
  membershipsSince(us: number): readonly Membership[];
  leader(): Server | undefined;
  /** Its disk is about to be lost. */
  onWipe(server: Server): void;
}

const TIMEOUT_MS = 8_000;
/** A change that was answered, or given up, may still be on its way to those who apply it. */
const SETTLING_US = 2_000_000;
/** By then every member that may be needed knows of a change. */
const KNOWN_EVERYWHERE_US = 10_000_000;
/** Takes a vote away. */
const SHRINKING: ReadonlySet<string> = new Set(["demoteServer", "removeServer", "replaceServer"]);

type Wish = "add" | "promote" | "demote" | "remove" | "replace" | "transfer" | "wipe" | "recycle";

const WEIGHTS: Readonly<Record<Wish, number>> = {
  add: 5,
  promote: 2,
  demote: 1,
  remove: 2,
  replace: 2,
  transfer: 1,
  wipe: 4,
  recycle: 2,
};

export class Operator {
  readonly #parts: OperatorParts;
  #stopped = false;
  /** Fewer voters may be left than are known of. */
  #shrinkingUntilUs = 0;
  /** Until when each wish may be under way. */
  #busyUntilUs: number[] = [];

  constructor(parts: OperatorParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#next();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Nothing that was asked for is under way any more, and nobody may be carrying it out. */
  get isDone(): boolean {
    return this.#stopped && this.#busyUntilUs.every((us) => us <= this.#parts.scheduler.nowUs);
  }

  #next(): void {
    const { scheduler, random, gapUsMean } = this.#parts;
    const gapUs = Math.min(2 * gapUsMean, random.exponential(gapUsMean));
    scheduler.after(gapUs, () => {
      if (this.#stopped) return;
      this.#wish(random.weighted(WEIGHTS));
      this.#next();
    });
  }

  #wish(wish: Wish): void {
    const { random } = this.#parts;
    const membership = this.#parts.membership();
    if (membership === undefined) return;
    const members = this.#members(membership);
    const others = this.#parts.servers.filter((server) => !members.includes(server));
    const voters = members.filter((server) => membership.voters.includes(server.raftId));
    const learners = members.filter((server) => membership.learners.includes(server.raftId));
    // Now and then something that makes no sense: it has to be refused.
    const any = random.chance(0.1) ? random.pick(this.#parts.servers) : undefined;
    switch (wish) {
      case "add":
        this.#add(any ?? pick(random, others));
        return;
      case "promote":
        this.#one("promoteServer", any ?? pick(random, learners));
        return;
      case "demote":
        this.#one("demoteServer", any ?? pick(random, voters));
        return;
      case "remove":
        this.#remove(any ?? pick(random, members), members);
        return;
      case "replace":
        this.#replace(any ?? pick(random, voters), pick(random, learners), members);
        return;
      case "transfer":
        this.#one("transferLeadership", pick(random, voters));
        return;
      case "wipe":
        this.#wipe(pick(random, members));
        return;
      case "recycle":
        this.#recycle(pick(random, others));
        return;
      default:
        wish satisfies never;
    }
  }

  #members(membership: Membership): readonly Server[] {
    return this.#parts.servers.filter((server) =>
      membership.servers.some(({ raftId }) => raftId === server.raftId && raftId !== 0),
    );
  }

  #add(server: Server | undefined): void {
    if (server === undefined) return;
    // Added first, or started first.
    if (this.#parts.random.chance(0.7)) server.start();
    else
      this.#parts.scheduler.after(this.#parts.random.int(3_000_000), () =>
        this.#startIfIdle(server),
      );
    const learner = this.#parts.random.chance(0.3);
    const request = { id: server.id, address: `${server.name}:7001`, learner };
    this.#ask("addServer", AddServerRequest.encode(request).finish(), `add ${server.name}`);
  }

  #startIfIdle(server: Server): void {
    if (!this.#stopped && server.state === "down") server.start();
  }

  #one(
    method: "promoteServer" | "demoteServer" | "transferLeadership",
    server: Server | undefined,
  ): void {
    if (server === undefined) return;
    const id = server.id;
    const what = `${method} ${server.name}`;
    switch (method) {
      case "promoteServer":
        this.#ask(method, PromoteServerRequest.encode({ id }).finish(), what);
        return;
      case "demoteServer":
        this.#ask(method, DemoteServerRequest.encode({ id, force: false }).finish(), what);
        return;
      case "transferLeadership":
        this.#parts.coverage.add("leadership-transfers");
        this.#ask(method, TransferLeadershipRequest.encode({ toId: id }).finish(), what);
        return;
      default:
        method satisfies never;
    }
  }

  #remove(server: Server | undefined, members: readonly Server[]): void {
    if (server === undefined || !this.#canGo(server, members)) return;
    if (server === this.#parts.leader()) this.#parts.coverage.add("leaders-removed");
    const request = RemoveServerRequest.encode({ id: server.id, force: false }).finish();
    this.#ask("removeServer", request, `remove ${server.name}`);
  }

  #replace(old: Server | undefined, next: Server | undefined, members: readonly Server[]): void {
    if (old === undefined || next === undefined || !this.#canGo(old, members)) return;
    const request = ReplaceServerRequest.encode({ oldId: old.id, newId: next.id, force: false });
    this.#ask("replaceServer", request.finish(), `replace ${old.name} by ${next.name}`);
  }

  /** Clients and servers without a disk know the first members' addresses only: two of them, who have the chat, stay. */
  #canGo(server: Server, members: readonly Server[]): boolean {
    if (members.length <= 3) return false;
    const founders = members.filter(
      ({ id, isWitness }) => id <= this.#parts.founders && !isWitness,
    );
    return founders.filter((one) => one !== server).length >= 2;
  }

  /** Whether as many copies of everything are left without this disk as are promised to be enough. */
  mayLoseDisk(server: Server): boolean {
    const membership = this.#parts.membership();
    if (membership === undefined || membership.votersOutgoing.length > 0) return false;
    if (this.#isLastFounder(server)) return false;
    const { nowUs } = this.#parts.scheduler;
    if (membership.voters.includes(server.raftId) && nowUs < this.#shrinkingUntilUs) return false;
    // Those that are left may have to elect somebody by an earlier membership: that of the last entry that they know to be
    // committed.
    return this.#parts
      .membershipsSince(nowUs - KNOWN_EVERYWHERE_US)
      .flatMap(({ voters, votersOutgoing }) => [voters, votersOutgoing])
      .filter((voters) => voters.includes(server.raftId))
      .every(
        (voters) =>
          this.#lostAmong(voters) + 1 <= Math.floor((voters.length - 1) / 2) &&
          this.#hasChatWithout(server, voters),
      );
  }

  /** Whether one of these voters is left that has the chat: witnesses have what came after it at the most. */
  #hasChatWithout(server: Server, voters: readonly number[]): boolean {
    return this.#parts.servers.some(
      (one) =>
        one !== server &&
        !one.isWitness &&
        !one.damaged &&
        !one.chatFileLost &&
        voters.includes(one.raftId),
    );
  }

  /** Where all that the file lists are empty, it describes a cluster that is yet to be made. */
  #isLastFounder(server: Server): boolean {
    const { servers, founders } = this.#parts;
    const withData = servers.filter(({ id, raftId }) => id <= founders && raftId !== 0);
    return withData.length === 1 && withData[0] === server;
  }

  #lostAmong(voters: readonly number[]): number {
    const { servers } = this.#parts;
    const whole = servers.filter(({ damaged, chatFileLost }) => !damaged && !chatFileLost);
    const held = new Set(whole.map(({ raftId }) => raftId));
    return voters.filter((raftId) => !held.has(raftId)).length;
  }

  #wipe(server: Server | undefined): void {
    if (server === undefined || server.suspendedBy !== undefined) return;
    if (!this.mayLoseDisk(server)) return;
    server.crash("kill");
    this.#lose(server);
    this.#parts.coverage.add("disks-wiped");
    this.#parts.scheduler.after(this.#parts.random.between(100_000, 4_000_000), () => {
      server.powerOn();
      this.#startIfIdle(server);
    });
  }

  /** A machine that was taken out is emptied, for its next use. */
  #recycle(server: Server | undefined): void {
    if (server === undefined || server.raftId === 0 || !this.mayLoseDisk(server)) return;
    server.crash("kill");
    this.#lose(server);
  }

  #lose(server: Server): void {
    this.#parts.trace.add(server.name, `loses its disk (raft id ${server.raftId})`);
    this.#parts.onWipe(server);
    server.wipe();
    // It may have been one of the first, but those may be gone: it asks everybody.
    if (server.id > this.#parts.founders || this.#parts.random.chance(0.5)) this.joinAll(server);
  }

  /** Lets a server ask all the others, as `--join` does. */
  joinAll(server: Server): void {
    const others = this.#parts.servers.filter((one) => one !== server);
    server.join = others.map(({ name }) => `${name}:7001`);
  }

  #ask(method: Parameters<Server["operate"]>[0], request: Uint8Array, what: string): void {
    const { random, servers, trace, coverage, scheduler } = this.#parts;
    const serving = servers.filter(({ state, raftId }) => state === "up" && raftId !== 0);
    const through = pick(random, serving);
    if (through === undefined) return;
    const isShrinking = SHRINKING.has(method);
    // For a moment the cluster takes a voter for alive whose disk has just been lost, and would let the vote go.
    if (isShrinking && this.#lostAmong(this.#parts.membership()?.voters ?? []) > 0) return;
    trace.add("operator", `asks ${through.name}: ${what}`);
    const untilUs = scheduler.nowUs + TIMEOUT_MS * 1_000 + SETTLING_US;
    const wish = this.#busyUntilUs.push(untilUs) - 1;
    if (isShrinking) this.#shrinkingUntilUs = untilUs;
    through.operate(method, request, TIMEOUT_MS, (reason) => {
      if (isShrinking) this.#shrinkingUntilUs = scheduler.nowUs + SETTLING_US;
      trace.add("operator", `${what}: ${reason}`);
      this.#busyUntilUs[wish] = scheduler.nowUs + (reason === "done" ? 0 : SETTLING_US);
      if (reason !== "done") coverage.add("changes-refused");
    });
  }
}

function pick<T>(random: Prng, list: readonly T[]): T | undefined {
  return list.length === 0 ? undefined : random.pick(list);
}
