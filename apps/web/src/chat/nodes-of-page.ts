// A page may dial only the nodes that its policy lists. So that the next one lists today's, the worker is told of them; and a page that may
// not dial a new member reloads itself when nobody is using it and nothing would be lost.
import type { ParleyClient } from "@parley/client/browser";
import { hasUnkeptDraft, saveServers } from "./saved.ts";

const IDLE_MS = 10_000;
const RELOADED_AT = "parley:reloaded-at";
const RELOAD_PAUSE_MS = 60_000;

export class NodesOfPage {
  readonly #client: ParleyClient;
  /** Beside drafts. */
  readonly #wouldLose: () => boolean;
  readonly #stops: readonly (() => void)[];
  #told = "";
  #usedAtMs = performance.now();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(client: ParleyClient, wouldLose: () => boolean) {
    this.#client = client;
    this.#wouldLose = wouldLose;
    const listening = new AbortController();
    const { signal } = listening;
    const used = () => {
      this.#usedAtMs = performance.now();
    };
    window.addEventListener("keydown", used, { signal, capture: true });
    window.addEventListener("pointerdown", used, { signal, capture: true });
    document.addEventListener("securitypolicyviolation", (event) => this.#onRefused(event), {
      signal,
    });
    this.#stops = [() => listening.abort(), client.onState(() => this.#tell())];
    this.#tell();
  }

  close(): void {
    for (const stop of this.#stops) stop();
    clearInterval(this.#timer);
  }

  #tell(): void {
    const nodes = this.#client.state.nodes.filter((node) => /^https?:/.test(node));
    const text = nodes.join();
    if (nodes.length === 0 || text === this.#told) return;
    this.#told = text;
    saveServers(nodes);
    navigator.serviceWorker?.ready
      .then(({ active }) => active?.postMessage({ nodes }))
      .catch(() => {});
  }

  #onRefused(event: SecurityPolicyViolationEvent): void {
    if (event.effectiveDirective !== "connect-src" || this.#timer !== undefined) return;
    this.#timer = setInterval(() => {
      const isIdle = performance.now() - this.#usedAtMs > IDLE_MS || document.hidden;
      if (isIdle && this.#isSettled && this.#mayReload()) location.reload();
    }, 1_000);
  }

  /** The page would be there again, with all that is on it. */
  get #isSettled(): boolean {
    // The worker has the page, also when none of the nodes that it may dial is there any more.
    const hasWorker = Boolean(navigator.serviceWorker?.controller);
    const comesBack = this.#client.state.phase === "online" || hasWorker;
    return comesBack && !hasUnkeptDraft() && !this.#wouldLose();
  }

  /** Never in a circle. */
  #mayReload(): boolean {
    try {
      const before = Number(sessionStorage.getItem(RELOADED_AT) ?? 0);
      if (Math.abs(Date.now() - before) < RELOAD_PAUSE_MS) return false;
      sessionStorage.setItem(RELOADED_AT, String(Date.now()));
      return true;
    } catch {
      return false;
    }
  }
}
