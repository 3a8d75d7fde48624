// What became of each message that was written here: waiting, committed on so many of so many
// nodes, or failed and why. For the ticks beside messages, found by client message id.
import type { ParleyClient } from "./client.ts";
import { asFailure } from "./outbox-peers.ts";
import type { OutboxFailure } from "./ports.ts";
import type { OutboxChange } from "./sends.ts";

export type Delivery =
  | { readonly kind: "waiting" }
  /** `replicas` of `nodes` members have it on disk (P1); it grows for as long as some lack it. */
  | { readonly kind: "committed"; readonly replicas: number; readonly nodes: number }
  | ({ readonly kind: "failed" } & OutboxFailure);

type Committed = Extract<Delivery, { kind: "committed" }>;

/** Committed messages whose ticks are remembered; older ones need none (P11). */
export const COMMITTED_KEPT_MAX = 1_000;

const WAITING: Delivery = { kind: "waiting" };

/**
 * For React: `useSyncExternalStore(deliveries.subscribe, () => deliveries.of(clientMessageId))`.
 * Watches the client until `close`.
 */
export class Deliveries {
  readonly #client: ParleyClient;
  readonly #listeners = new Set<() => void>();
  readonly #unsent = new Map<string, Delivery>();
  readonly #committed = new Map<string, Committed & { readonly revision: number }>();
  /** Committed, and not on every disk yet. */
  readonly #spreading = new Set<string>();
  /** By member, how far its disk was known to be; a node that knows less takes nothing back. */
  readonly #farthest = new Map<number, number>();
  /** One object for all messages that are on so many of so many. */
  readonly #spreads = new Map<string, Committed>();
  readonly #stops: readonly (() => void)[];

  constructor(client: ParleyClient) {
    this.#client = client;
    for (const item of client.outbox()) {
      const { clientMessageId, failure, withdrawal } = item;
      if (withdrawal !== undefined && withdrawal.seq > 0) continue;
      this.#unsent.set(
        clientMessageId,
        failure === undefined ? WAITING : { kind: "failed", ...failure },
      );
    }
    this.#stops = [
      client.onOutbox((change) => this.#onChange(change)),
      client.onPositions(() => this.#onPositions()),
    ];
    this.#learnPositions();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    const call = () => listener();
    this.#listeners.add(call);
    return () => {
      this.#listeners.delete(call);
    };
  };

  /**
   * The same object until it changes; undefined = not known. `revision`: of a message that is committed, so that one is known too that was written on
   * another device, before this page was there, or very long ago.
   */
  of(clientMessageId: string, revision = 0): Delivery | undefined {
    const known = this.#unsent.get(clientMessageId) ?? this.#committed.get(clientMessageId);
    const isToldOf = known !== undefined && known.kind !== "waiting";
    return revision === 0 || isToldOf ? known : this.#byRevision(revision);
  }

  close(): void {
    for (const stop of this.#stops) stop();
    this.#listeners.clear();
  }

  #onChange(change: OutboxChange): void {
    const { clientMessageId } = change.item;
    switch (change.kind) {
      case "queued":
        this.#unsent.set(clientMessageId, WAITING);
        break;
      case "failed":
        // It is there, and could not be deleted.
        if (change.item.withdrawal !== undefined) break;
        this.#unsent.set(clientMessageId, { kind: "failed", ...asFailure(change.error) });
        break;
      case "removed":
        this.#unsent.delete(clientMessageId);
        break;
      case "committed": {
        this.#unsent.delete(clientMessageId);
        const { message, replicas } = change.result;
        const { revision } = message;
        // A node counts itself, also before it has heard of the others.
        const nodes = Math.max(replicas, this.#client.state.nodes.length);
        this.#committed.set(clientMessageId, { kind: "committed", replicas, nodes, revision });
        this.#spreading.add(clientMessageId);
        this.#spread(clientMessageId);
        if (this.#committed.size > COMMITTED_KEPT_MAX) {
          const [oldest = ""] = this.#committed.keys();
          this.#committed.delete(oldest);
          this.#spreading.delete(oldest);
        }
        break;
      }
    }
    this.#tell();
  }

  #onPositions(): void {
    let changed = this.#learnPositions();
    for (const clientMessageId of [...this.#spreading]) {
      changed = this.#spread(clientMessageId) || changed;
    }
    if (changed) this.#tell();
  }

  /** Returns whether a disk is known to be farther. */
  #learnPositions(): boolean {
    let changed = false;
    for (const { nodeId, revision } of this.#client.positions) {
      if (revision <= (this.#farthest.get(nodeId) ?? 0)) continue;
      this.#farthest.set(nodeId, revision);
      changed = true;
    }
    return changed;
  }

  /** Undefined: the node has not heard from enough of the others yet; what is committed is on a majority. */
  #byRevision(revision: number): Committed | undefined {
    const { positions } = this.#client;
    const nodes = positions.length;
    const has = ({ nodeId }: { nodeId: number }) => (this.#farthest.get(nodeId) ?? 0) >= revision;
    const replicas = positions.filter(has).length;
    if (replicas * 2 <= nodes) return undefined;
    const key = `${replicas}/${nodes}`;
    const spread = this.#spreads.get(key) ?? { kind: "committed", replicas, nodes };
    this.#spreads.set(key, spread);
    return spread;
  }

  /** Returns whether it is on more disks than was known; a node that knows less takes nothing back. */
  #spread(clientMessageId: string): boolean {
    const known = this.#committed.get(clientMessageId);
    if (known === undefined) return false;
    const now = this.#client.spread(known.revision);
    const replicas = Math.max(known.replicas, now?.replicas ?? 0);
    const nodes = Math.max(replicas, now?.nodes ?? known.nodes);
    if (now !== undefined && replicas === nodes) this.#spreading.delete(clientMessageId);
    if (replicas === known.replicas && nodes === known.nodes) return false;
    this.#committed.set(clientMessageId, { ...known, replicas, nodes });
    return true;
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
