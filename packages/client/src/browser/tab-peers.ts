// One sender for all tabs of one account: the tab that holds the Web Lock. The browser passes the lock on
// when that tab is closed or crashes; a tab that is frozen keeps it, so a visible one may steal it. News
// of the shared outbox travels by BroadcastChannel.
import type { OutboxNews, OutboxPeerEvents, OutboxPeers } from "../outbox-peers.ts";

export interface TabPeersOptions {
  /** Only a tab that somebody looks at takes the lock from another; by default by the page's visibility. */
  readonly visible?: (() => boolean) | undefined;
}

/**
 * `name`: that of the outbox (`outboxName`). Undefined where the browser has no Web Locks (plain
 * `http://` beyond loopback): then every tab sends for itself, which P2 makes harmless. So it does
 * where there are locks that the browser's settings forbid, which only a request finds out.
 */
export function tabPeers(name: string, options: TabPeersOptions = {}): OutboxPeers | undefined {
  const locks = globalThis.navigator?.locks;
  if (locks === undefined || typeof BroadcastChannel === "undefined") return undefined;
  const visible = options.visible ?? (() => document.visibilityState === "visible");
  return new TabPeers(name, locks, visible);
}

class TabPeers implements OutboxPeers {
  readonly #name: string;
  readonly #locks: LockManager;
  readonly #visible: () => boolean;
  readonly #channel: BroadcastChannel;
  #events: OutboxPeerEvents | undefined;
  /** Gives the lock back; undefined = another tab has it. */
  #release: (() => void) | undefined;
  /** Withdraws the request that waits in the lock's queue. */
  #waiting = new AbortController();

  constructor(name: string, locks: LockManager, visible: () => boolean) {
    this.#name = name;
    this.#locks = locks;
    this.#visible = visible;
    this.#channel = new BroadcastChannel(name);
  }

  join(events: OutboxPeerEvents): void {
    this.#events = events;
    this.#channel.onmessage = ({ data }: MessageEvent<OutboxNews>) => events.onNews(data);
    this.#queue();
  }

  announce(news: OutboxNews): void {
    if (this.#events !== undefined) this.#channel.postMessage(news);
  }

  claim(): void {
    if (this.#release !== undefined || !this.#visible()) return;
    this.#waiting.abort();
    this.#request({ steal: true });
  }

  leave(): void {
    this.#events = undefined;
    this.#channel.close();
    this.#waiting.abort();
    this.#release?.();
  }

  #queue(): void {
    this.#waiting = new AbortController();
    this.#request({ signal: this.#waiting.signal });
  }

  #request(options: LockOptions): void {
    const held = this.#locks.request(this.#name, options, () => this.#hold());
    held.catch((cause: unknown) => this.#lost(options, cause));
  }

  /** The lock is held for as long as the promise is pending. */
  #hold(): Promise<void> {
    if (this.#events === undefined) return Promise.resolve();
    this.#events.onLead();
    return new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  /** Stolen, withdrawn from the queue, or refused. */
  #lost(options: LockOptions, cause: unknown): void {
    if (this.#events === undefined || options.signal?.aborted === true) return;
    if (!(cause instanceof Error && cause.name === "AbortError")) {
      // Asking again would be refused again, at once and for ever.
      this.#release = () => {};
      this.#events.onLead();
      return;
    }
    this.#release = undefined;
    this.#events.onFollow();
    this.#queue();
  }
}
