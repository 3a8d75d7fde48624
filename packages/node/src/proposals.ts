// Writes on their way: from "asked for" to "applied here". A write is placed in the log (by this node
// when it leads, else by the leader's node on request) and waits until the entry at its index is
// applied on this node. If another entry took that place, or the leader changed meanwhile, it is
// placed again with the same id, which is harmless (P2).
import type { AppliedEntry } from "@parley/chat";
import { ParleyError } from "@parley/protocol";
import { Deadlines, type Waiting } from "./deadlines.ts";
import type { Clock } from "./ports.ts";

export interface Placement {
  readonly term: number;
  readonly index: number;
}

/** How a write is put into the log right now. */
export type PlaceResult =
  | { readonly kind: "placed"; readonly placement: Placement }
  /** Asked the leader's node; `replied` or `lost` follows. */
  | { readonly kind: "forwarded"; readonly to: number }
  /** Nobody to ask: wait for a leader. */
  | { readonly kind: "no-leader" }
  | { readonly kind: "refused"; readonly error: ParleyError };

export interface Placer {
  place(id: number, command: Uint8Array): PlaceResult;
}

type Stage = "waiting" | "forwarded" | "placed";

class PendingWrite implements Waiting {
  readonly id: number;
  readonly command: Uint8Array;
  readonly deadlineMs: number;
  readonly resolve: (entry: AppliedEntry) => void;
  readonly reject: (error: ParleyError) => void;
  stage: Stage = "waiting";
  forwardedTo = 0;
  /** It may be in a log somewhere. */
  maybePlaced = false;
  /** Indices where it may be applied, oldest first; usually one. */
  readonly indices: number[] = [];
  readonly onExpire: (write: PendingWrite) => void;

  constructor(
    id: number,
    command: Uint8Array,
    deadlineMs: number,
    resolve: (entry: AppliedEntry) => void,
    reject: (error: ParleyError) => void,
    onExpire: (write: PendingWrite) => void,
  ) {
    this.id = id;
    this.command = command;
    this.deadlineMs = deadlineMs;
    this.resolve = resolve;
    this.reject = reject;
    this.onExpire = onExpire;
  }

  expire(): void {
    this.onExpire(this);
  }
}

interface Expectation {
  readonly term: number;
  readonly write: PendingWrite;
}

export class Proposals {
  readonly #placer: Placer;
  readonly #pendingMax: number;
  readonly #byId = new Map<number, PendingWrite>();
  readonly #deadlines: Deadlines<PendingWrite>;
  readonly #expected = new Map<number, Expectation[]>();
  #nextId = 1;
  #appliedIndex: number;
  #closed = false;
  /** How often a write had to be placed again; for metrics and coverage. */
  replaced = 0;

  constructor(placer: Placer, clock: Clock, pendingMax: number, appliedIndex: number) {
    this.#placer = placer;
    this.#pendingMax = pendingMax;
    this.#appliedIndex = appliedIndex;
    this.#deadlines = new Deadlines(clock);
  }

  get pending(): number {
    return this.#byId.size;
  }

  /** `command` is encoded, without its stamp. */
  propose(command: Uint8Array, deadlineMs: number, signal?: AbortSignal): Promise<AppliedEntry> {
    if (this.#closed) return Promise.reject(shuttingDown());
    if (this.#byId.size >= this.#pendingMax) {
      return Promise.reject(
        new ParleyError("OVERLOADED", `${this.#byId.size} writes wait on this node already`, {
          retryAfterMs: 100,
        }),
      );
    }
    if (signal?.aborted === true) {
      return Promise.reject(new ParleyError("CANCELLED", "the caller gave up"));
    }
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const write = new PendingWrite(id, command, deadlineMs, resolve, reject, (late) =>
        this.#settleLate(late),
      );
      this.#byId.set(id, write);
      this.#deadlines.add(write);
      signal?.addEventListener(
        "abort",
        () => this.#settle(write, () => reject(new ParleyError("CANCELLED", "the caller gave up"))),
        { once: true },
      );
      this.#place(write);
    });
  }

  /** The leader's node said where it put a forwarded write. */
  placedAt(id: number, placement: Placement): void {
    const write = this.#byId.get(id);
    if (write === undefined || write.stage !== "forwarded") return;
    this.#expect(write, placement);
  }

  /** The leader's node did not take a forwarded write. */
  refused(id: number, error: ParleyError): void {
    const write = this.#byId.get(id);
    if (write === undefined || write.stage !== "forwarded") return;
    if (error.reason === "NOT_LEADER") {
      // Wait for the next leader rather than ask in circles.
      write.stage = "waiting";
      return;
    }
    this.#settle(write, () => write.reject(error));
  }

  /**
   * Leader or term changed, or the link to the leader was lost: what is not known to be applied is
   * placed again, in the order in which it was asked for.
   */
  placeAgain(): void {
    for (const write of this.#byId.values()) {
      if (write.stage !== "waiting") {
        write.maybePlaced = true;
        this.replaced += 1;
      }
      this.#place(write);
    }
  }

  /** Only what waits for a leader. */
  placeWaiting(): void {
    for (const write of this.#byId.values()) if (write.stage === "waiting") this.#place(write);
  }

  /** An entry was applied here. */
  applied(entry: AppliedEntry): void {
    this.#appliedIndex = entry.index;
    const expectations = this.#expected.get(entry.index);
    if (expectations === undefined) return;
    this.#expected.delete(entry.index);
    for (const { term, write } of expectations) {
      if (!this.#byId.has(write.id)) continue;
      if (term === entry.term) {
        this.#settle(write, () => write.resolve(entry));
        continue;
      }
      const at = write.indices.indexOf(entry.index);
      if (at >= 0) write.indices.splice(at, 1);
      if (write.stage === "placed" && write.indices.length === 0) {
        this.replaced += 1;
        this.#place(write);
      }
    }
  }

  /** Everything that waits is told that the node stops. */
  close(): void {
    this.#closed = true;
    for (const write of [...this.#byId.values()]) {
      this.#settle(write, () => write.reject(shuttingDown()));
    }
    this.#deadlines.close();
  }

  #place(write: PendingWrite): void {
    const result = this.#placer.place(write.id, write.command);
    switch (result.kind) {
      case "placed":
        this.#expect(write, result.placement);
        return;
      case "forwarded":
        write.stage = "forwarded";
        write.forwardedTo = result.to;
        write.maybePlaced = true;
        return;
      case "no-leader":
        write.stage = "waiting";
        return;
      case "refused":
        // What may be in the log already can't be refused any more: it is tried again.
        if (write.maybePlaced) write.stage = "waiting";
        else this.#settle(write, () => write.reject(result.error));
        return;
      default:
        result satisfies never;
    }
  }

  #expect(write: PendingWrite, placement: Placement): void {
    write.stage = "placed";
    write.maybePlaced = true;
    if (placement.index <= this.#appliedIndex) {
      // It was applied before this node heard where: ask again, the same id gives the same result.
      this.#place(write);
      return;
    }
    write.indices.push(placement.index);
    const expectation = { term: placement.term, write };
    const others = this.#expected.get(placement.index);
    if (others === undefined) this.#expected.set(placement.index, [expectation]);
    else others.push(expectation);
  }

  #settleLate(write: PendingWrite): void {
    this.#settle(write, () =>
      write.reject(
        write.maybePlaced
          ? new ParleyError(
              "OUTCOME_UNKNOWN",
              "the write was not confirmed in time; retry it with the same id",
              { retryAfterMs: 50 },
            )
          : new ParleyError("NO_QUORUM", "no leader was found in time; nothing was written", {
              retryAfterMs: 200,
            }),
      ),
    );
  }

  #settle(write: PendingWrite, act: () => void): void {
    if (!this.#byId.delete(write.id)) return;
    this.#deadlines.delete(write);
    for (const index of write.indices) {
      const left = this.#expected.get(index)?.filter((one) => one.write !== write) ?? [];
      if (left.length === 0) this.#expected.delete(index);
      else this.#expected.set(index, left);
    }
    act();
  }
}

function shuttingDown(): ParleyError {
  return new ParleyError("SHUTTING_DOWN", "this node is stopping", { retryAfterMs: 20 });
}
