// Which nodes there are, how they did lately, and which one to dial next. Seeds come from the
// application; every node tells of all the others, so any one that answers is enough.
import type { ClusterView, NodeAddress, Welcome } from "@parley/protocol";
import type { Random } from "./ports.ts";

export const BACKOFF_MS_MIN = 50;
export const BACKOFF_MS_MAX = 2_000;
/** A session that ended sooner does not count as one: a node that greets and fails is failing. */
export const STABLE_MS = 5_000;
/** What failed longer ago than this says nothing of now: the node may be back, and is as good as any. */
export const FAILURES_FADE_MS = 10_000;
/** More addresses than any cluster has; what goes over it is ignored (P11). */
export const ADDRESSES_MAX = 64;

/** A dial that failed longer ago than this says nothing of now: nobody tried since. */
export const UNREACHED_MS_MAX = 5 * 60_000;

/** What is known of one address. */
interface Entry {
  readonly address: string;
  /** Named by the application: never forgotten. */
  readonly seed: boolean;
  /** 0 = not known yet. */
  nodeId: number;
  /** In a row, without a session that lasted in between. */
  failures: number;
  /** When it last welcomed a session; undefined = it has failed since, or was never met. */
  welcomedAtMs: number | undefined;
  /** Not dialled before (monotonic). */
  notBeforeMs: number;
  /** It has answered since it was last dialled, whatever it said. */
  hasAnswered: boolean;
  /** When it could last not be dialled (monotonic); undefined = it has answered since. */
  undialledAtMs: number | undefined;
  /** What it last said of itself; undefined = never met, or not lately. */
  hasQuorum: boolean | undefined;
}

export interface Candidate {
  readonly address: string;
  readonly waitMs: number;
}

export interface ChooseOptions {
  /** The address that just failed or is in use: taken only when there is nothing else. */
  readonly avoid?: string | undefined;
  /** Addresses that were tried for this purpose already; never taken. */
  readonly except?: ReadonlySet<string>;
  readonly preferLeader?: boolean;
}

export interface AddressBookOptions {
  readonly seeds: readonly string[];
  readonly random: Random;
  readonly addressOf: (node: NodeAddress) => string | undefined;
}

/** `host:port,host:port` or a list of such, without blanks and repetitions. */
export function parseSeeds(servers: string | readonly string[]): readonly string[] {
  const list = typeof servers === "string" ? [servers] : servers;
  const seeds = list.flatMap((text) => text.split(",")).map((text) => text.trim());
  return [...new Set(seeds.filter((text) => text !== ""))].slice(0, ADDRESSES_MAX);
}

/** The known nodes. Its methods take the time, so that it needs no clock. */
export class AddressBook {
  readonly #entries = new Map<string, Entry>();
  /** Of whom the cluster hears, by node id; undefined = it has not said. */
  #heard: ReadonlySet<number> | undefined;
  readonly #random: Random;
  readonly #addressOf: (node: NodeAddress) => string | undefined;
  #leaderId = 0;

  constructor(options: AddressBookOptions) {
    this.#random = options.random;
    this.#addressOf = options.addressOf;
    for (const seed of options.seeds) this.#add(seed, 0, true);
  }

  get addresses(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** Takes over what a node says of the cluster. Returns whether an address is new. */
  learn(view: ClusterView): boolean {
    if (view.leaderId !== 0) this.#leaderId = view.leaderId;
    const named = new Set<string>();
    let grew = false;
    for (const node of view.nodes) {
      const address = this.#addressOf(node);
      if (address === undefined || address === "") continue;
      named.add(address);
      const entry = this.#entries.get(address);
      if (entry === undefined) grew = this.#add(address, node.id, false) || grew;
      else entry.nodeId = node.id;
    }
    this.#learnHeard(view);
    if (named.size === 0) return grew;
    for (const entry of [...this.#entries.values()]) {
      if (!entry.seed && !named.has(entry.address)) this.#entries.delete(entry.address);
    }
    return grew;
  }

  /** The node answered. What failed as well until then says nothing: it was this device that reached nobody. */
  answered(address: string): void {
    const entry = this.#entries.get(address);
    if (entry === undefined) return;
    entry.hasAnswered = true;
    const wasUnreached = entry.undialledAtMs !== undefined;
    for (const one of this.#entries.values()) {
      if (one === entry || wasUnreached) one.undialledAtMs = undefined;
    }
  }

  /**
   * Ids of nodes that could not be dialled lately, though the cluster hears of them; ascending. A failure younger than `waitMs` is left out: a node that died
   * a moment ago may still be called well.
   */
  unreached(nowMs: number, waitMs: number): readonly number[] {
    const ids = new Set<number>();
    for (const { nodeId, undialledAtMs } of this.#entries.values()) {
      if (undialledAtMs === undefined || this.#heard?.has(nodeId) !== true) continue;
      const ageMs = nowMs - undialledAtMs;
      if (ageMs >= waitMs && ageMs < UNREACHED_MS_MAX) ids.add(nodeId);
    }
    return [...ids].sort((one, other) => one - other);
  }

  /** A node that was not heard of, or is again: that it could not be dialled was no wonder. */
  #learnHeard({ members }: ClusterView): void {
    const before = this.#heard;
    const heard = new Set<number>();
    for (const member of members) if (member.heard) heard.add(member.nodeId);
    this.#heard = heard;
    for (const entry of this.#entries.values()) {
      if (entry.nodeId === 0) continue;
      const wasHeard = before === undefined || before.has(entry.nodeId);
      if (!wasHeard || !heard.has(entry.nodeId)) entry.undialledAtMs = undefined;
    }
  }

  /** The node welcomed a session: it lives, and says whether it has a quorum. */
  succeeded(address: string, welcome: Welcome, nowMs: number): void {
    const entry = this.#entries.get(address);
    if (entry === undefined) return;
    entry.nodeId = welcome.nodeId;
    entry.welcomedAtMs ??= nowMs;
    entry.notBeforeMs = 0;
    if (welcome.cluster !== undefined) entry.hasQuorum = welcome.cluster.hasQuorum;
  }

  quorum(address: string, hasQuorum: boolean): void {
    const entry = this.#entries.get(address);
    if (entry !== undefined) entry.hasQuorum = hasQuorum;
  }

  /** The node failed: the next dial waits, jittered and doubling, or longer if the node says so. */
  failed(address: string, nowMs: number, retryAfterMs = 0): void {
    const entry = this.#entries.get(address);
    if (entry === undefined) return;
    entry.hasQuorum = undefined;
    if (!entry.hasAnswered) entry.undialledAtMs = nowMs;
    entry.hasAnswered = false;
    if (entry.welcomedAtMs !== undefined && nowMs - entry.welcomedAtMs >= STABLE_MS) {
      entry.failures = 0;
    }
    entry.welcomedAtMs = undefined;
    // The first retry is at once: `avoid` already sends it to another node if there is one.
    const waitMs = entry.failures === 0 ? 0 : this.#backoffMs(entry.failures);
    entry.failures = Math.min(entry.failures + 1, 30);
    entry.notBeforeMs = nowMs + Math.max(waitMs, Math.min(retryAfterMs, BACKOFF_MS_MAX));
  }

  /** How often the node failed since it was last met. */
  failures(address: string): number {
    const entry = this.#entries.get(address);
    return entry === undefined ? 0 : failuresNow(entry);
  }

  /** Whether each known node has one of its addresses among those given. */
  allAmong(addresses: ReadonlySet<string>): boolean {
    for (const entry of this.#entries.values()) {
      if (!this.#excluded(entry, addresses)) return false;
    }
    return true;
  }

  /** Whether both addresses are known to lead to one node. */
  sameNode(one: string, other: string): boolean {
    if (one === other) return true;
    const nodeId = this.#entries.get(one)?.nodeId ?? 0;
    return nodeId !== 0 && nodeId === this.#entries.get(other)?.nodeId;
  }

  /**
   * The node to dial next and after which time. In order: the shortest wait, another node than the
   * one to avoid, fewer failures of late, not known to lack a quorum, the leader if asked for; then chance,
   * which spreads clients over the nodes. Undefined when nothing is left to choose from.
   */
  choose(nowMs: number, options: ChooseOptions = {}): Candidate | undefined {
    let best: { readonly entry: Entry; readonly rank: readonly number[] } | undefined;
    let ties = 0;
    for (const entry of this.#entries.values()) {
      if (this.#excluded(entry, options.except)) continue;
      const rank = this.#rank(entry, nowMs, options);
      const order = best === undefined ? -1 : compareRanks(rank, best.rank);
      if (order > 0) continue;
      // Reservoir sampling: each of n equals is kept with chance 1/n.
      ties = order < 0 ? 1 : ties + 1;
      if (order < 0 || this.#random.int(ties) === 0) best = { entry, rank };
    }
    if (best === undefined) return undefined;
    return { address: best.entry.address, waitMs: Math.max(0, best.entry.notBeforeMs - nowMs) };
  }

  #excluded(entry: Entry, except: ReadonlySet<string> | undefined): boolean {
    if (except === undefined) return false;
    for (const address of except) if (this.sameNode(entry.address, address)) return true;
    return false;
  }

  #rank(entry: Entry, nowMs: number, options: ChooseOptions): readonly number[] {
    const avoided = options.avoid !== undefined && this.sameNode(entry.address, options.avoid);
    return [
      Math.max(0, entry.notBeforeMs - nowMs),
      avoided ? 1 : 0,
      nowMs - entry.notBeforeMs < FAILURES_FADE_MS ? failuresNow(entry) : 0,
      entry.hasQuorum === false ? 1 : 0,
      options.preferLeader === true && entry.nodeId !== this.#leaderId ? 1 : 0,
    ];
  }

  /** Half of the doubled delay is fixed, half is chance. */
  #backoffMs(failures: number): number {
    const fullMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** (failures - 1));
    return fullMs / 2 + this.#random.int(Math.ceil(fullMs / 2) + 1);
  }

  #add(address: string, nodeId: number, seed: boolean): boolean {
    if (this.#entries.size >= ADDRESSES_MAX) return false;
    this.#entries.set(address, {
      address,
      seed,
      nodeId,
      failures: 0,
      welcomedAtMs: undefined,
      notBeforeMs: 0,
      hasAnswered: false,
      undialledAtMs: undefined,
      hasQuorum: undefined,
    });
    return true;
  }
}

function failuresNow(entry: Entry): number {
  return entry.welcomedAtMs === undefined ? entry.failures : 0;
}

function compareRanks(one: readonly number[], other: readonly number[]): number {
  for (let at = 0; at < one.length; at++) {
    const difference = (one[at] ?? 0) - (other[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
