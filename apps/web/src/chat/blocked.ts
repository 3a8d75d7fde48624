// Whom this account has blocked: as the servers had it at the start, and as events have changed it since.
import type { ChatSync, ParleyClient } from "@parley/client/browser";

const NOBODY: ReadonlySet<number> = new Set();

export class Blocked {
  readonly #client: ParleyClient;
  readonly #listeners = new Set<() => void>();
  readonly #stops: (() => void)[];
  #ids = NOBODY;
  /** How new it is. */
  #revision = 0;

  constructor(client: ParleyClient, sync: Pick<ChatSync, "onEvents" | "onReset">) {
    this.#client = client;
    this.#stops = [
      sync.onEvents((events) => {
        for (const { event, revision } of events) {
          if (event?.$case === "blocked") this.#set(event.value.accountIds, revision);
        }
      }),
      sync.onReset(() => this.#load()),
    ];
    this.#load();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  readonly getSnapshot = (): ReadonlySet<number> => this.#ids;

  close(): void {
    for (const stop of this.#stops) stop();
    this.#listeners.clear();
  }

  #load(): void {
    this.#client.call("listBlocked").then(
      ({ accounts, revision }) =>
        this.#set(
          accounts.map(({ id }) => id),
          revision,
        ),
      () => {},
    );
  }

  #set(ids: readonly number[], revision: number): void {
    if (revision < this.#revision) return;
    this.#revision = revision;
    this.#ids = new Set(ids);
    for (const listener of [...this.#listeners]) listener();
  }
}
