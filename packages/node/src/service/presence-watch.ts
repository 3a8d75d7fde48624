// Who comes and goes, told to the sessions that show them: to each what it watches and nothing else, and all the changes of a moment
// at once. Sessions that watch nobody, and accounts that nobody watches, cost nothing.
import type { PresenceNews } from "@parley/protocol";
import type { Clock, Timer } from "../ports.ts";
import type { Replica } from "../replica.ts";

/** Between two pushes; longer when very many watch. */
export const PRESENCE_PUSH_MS_MIN = 500;
const PUSH_MS_PER_WATCHER = 0.5;

export interface PresenceWatcher {
  presence(news: PresenceNews): void;
}

/** An account that somebody watches. */
interface Watched {
  readonly watchers: Set<PresenceWatcher>;
  /** As they were told last. */
  online: boolean;
}

export class PresenceWatch {
  readonly #replica: Pick<Replica, "isOnline" | "onPresence">;
  readonly #clock: Clock;
  readonly #watchers = new Map<PresenceWatcher, ReadonlySet<number>>();
  readonly #accounts = new Map<number, Watched>();
  /** Who may have come or gone since the last push. */
  readonly #changed = new Set<number>();
  #timer: Timer | undefined;

  constructor(replica: Pick<Replica, "isOnline" | "onPresence">, clock: Clock) {
    this.#replica = replica;
    this.#clock = clock;
    replica.onPresence((accountId) => {
      if (!this.#accounts.has(accountId)) return;
      this.#changed.add(accountId);
      this.#arm();
    });
  }

  /** From now on it hears of these, in the place of those before; first how it is with all of them. */
  watch(watcher: PresenceWatcher, accountIds: readonly number[]): void {
    this.end(watcher);
    if (accountIds.length === 0) return;
    const ids = new Set(accountIds);
    this.#watchers.set(watcher, ids);
    const news = noNews();
    for (const id of ids) {
      const watched = this.#accounts.get(id) ?? {
        watchers: new Set(),
        online: this.#replica.isOnline(id),
      };
      watched.watchers.add(watcher);
      this.#accounts.set(id, watched);
      // What the others know, though it may have changed since: all of them are told of that together, or, where it has changed back,
      // none.
      add(news, id, watched.online);
    }
    watcher.presence(news);
  }

  end(watcher: PresenceWatcher): void {
    for (const id of this.#watchers.get(watcher) ?? []) {
      const watched = this.#accounts.get(id);
      watched?.watchers.delete(watcher);
      if (watched?.watchers.size === 0) this.#accounts.delete(id);
    }
    this.#watchers.delete(watcher);
  }

  /** The node is stopping. */
  close(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    const delayMs = Math.max(PRESENCE_PUSH_MS_MIN, this.#watchers.size * PUSH_MS_PER_WATCHER);
    this.#timer ??= this.#clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#push();
    });
  }

  #push(): void {
    const news = new Map<PresenceWatcher, PresenceNews>();
    for (const id of this.#changed) {
      const watched = this.#accounts.get(id);
      const online = this.#replica.isOnline(id);
      if (watched === undefined || watched.online === online) continue;
      watched.online = online;
      for (const watcher of watched.watchers) {
        const told = news.get(watcher) ?? noNews();
        add(told, id, online);
        news.set(watcher, told);
      }
    }
    this.#changed.clear();
    for (const [watcher, told] of news) watcher.presence(told);
  }
}

function noNews(): PresenceNews {
  return { onlineAccountIds: [], offlineAccountIds: [] };
}

function add(news: PresenceNews, accountId: number, online: boolean): void {
  (online ? news.onlineAccountIds : news.offlineAccountIds).push(accountId);
}
