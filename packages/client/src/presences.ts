// Who is online, of those that an application shows: it says whom, and the nodes tell of nobody else.
import { LIMITS, type PresenceNews } from "@parley/protocol";
import type { ParleyClient } from "./client.ts";
import { platformClock } from "./platform.ts";
import type { Clock } from "./ports.ts";

export interface Presence {
  readonly online: boolean;
  /** When they were seen to go (Unix time by the servers' clock); undefined = not while this client looked. */
  readonly leftAtMs: number | undefined;
}

/**
 * For React: an effect that calls `show`, and `useSyncExternalStore(presences.subscribe, () => presences.of(accountId))`. Watches the
 * client until `close`.
 */
export class Presences {
  readonly #client: ParleyClient;
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  /** What each view shows, the newest view last. */
  readonly #shown = new Set<readonly number[]>();
  readonly #known = new Map<number, Presence>();
  readonly #stop: () => void;
  #watched = "";
  #isDue = false;

  constructor(client: ParleyClient, clock: Clock = platformClock) {
    this.#client = client;
    this.#clock = clock;
    this.#stop = client.onPresence((news) => this.#take(news));
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    const call = () => listener();
    this.#listeners.add(call);
    return () => {
      this.#listeners.delete(call);
    };
  };

  /** A view shows these from now on; returns how to end that. Of too many in all, the newest view's come first. */
  show(accountIds: readonly number[]): () => void {
    // A list of its own, so that two views of the same people are two.
    const view = [...accountIds];
    this.#shown.add(view);
    this.#watchSoon();
    return () => {
      this.#shown.delete(view);
      this.#watchSoon();
    };
  }

  /** The same object until it changes; undefined = not told (yet): the account that a list gave says what was true then. */
  of(accountId: number): Presence | undefined {
    return this.#known.get(accountId);
  }

  close(): void {
    this.#stop();
    this.#listeners.clear();
  }

  /** Views come and go together. */
  #watchSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#watch();
    });
  }

  #watch(): void {
    const wanted = new Set([...this.#shown].reverse().flat());
    const ids = [...wanted].slice(0, LIMITS.watchedAccountsMax);
    const key = ids.toSorted((one, other) => one - other).join();
    if (key === this.#watched) return;
    this.#watched = key;
    const kept = new Set(ids);
    for (const id of this.#known.keys()) if (!kept.has(id)) this.#known.delete(id);
    this.#client.watch(ids);
  }

  #take({ onlineAccountIds, offlineAccountIds }: PresenceNews): void {
    let isChanged = false;
    const nowMs = this.#clock.wallMs() + this.#client.state.clockOffsetMs;
    const set = (id: number, online: boolean) => {
      const before = this.#known.get(id);
      if (before?.online === online) return;
      const leftAtMs = before?.online === true ? nowMs : undefined;
      this.#known.set(id, { online, leftAtMs: online ? undefined : leftAtMs });
      isChanged = true;
    };
    for (const id of onlineAccountIds) set(id, true);
    for (const id of offlineAccountIds) set(id, false);
    if (!isChanged) return;
    for (const listener of [...this.#listeners]) listener();
  }
}
