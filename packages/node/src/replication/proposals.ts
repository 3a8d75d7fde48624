// Writes on their way: from "asked for" to "applied here". A write is placed in the log (by this node
// when it leads, else by the leader's node on request) and waits until the entry at its index is
// applied on this node. If another entry took that place, or another leader took over, or the request
// or its answer may be lost, it is placed again with the same id, which is harmless (P2).
//
// Order (P3): writes are placed in the order in which they were asked for. While one waits for a
// leader, all later ones wait behind it.
import type { AppliedEntry } from "@parley/chat";
import { ParleyError } from "@parley/protocol";
import { Deadlines } from "../deadlines.ts";
import type { Clock } from "../ports.ts";
import { PendingWrite, WritesBySignal } from "./pending-write.ts";

export interface Placement {
  readonly term: number;
  readonly index: number;
}

/** Whom a write was given to right now. */
export type PlaceResult =
  /** The leader's node, perhaps this one; `placedAt`, `refused` or `giveUpForwards` follows. */
  | { readonly kind: "forwarded"; readonly to: number }
  /** Nobody to ask: wait for a leader. */
  | { readonly kind: "no-leader" };

export interface Placer {
  place(id: number, command: Uint8Array): PlaceResult;
}

/**
 * A leader's node answers at once, so a request without an answer for this long is lost, or the answer is
 * (the stream that carries it may have dropped it).
 */
const FORWARD_MS_MAX = 2_000;

interface Expectation {
  readonly term: number;
  readonly write: PendingWrite;
}

export class Proposals {
  readonly #placer: Placer;
  readonly #clock: Clock;
  readonly #pendingMax: number;
  /** In the order in which they were asked for. */
  readonly #byId = new Map<number, PendingWrite>();
  readonly #bySignal = new WritesBySignal((write) =>
    this.#settle(write, () => write.reject(cancelled())),
  );
  readonly #deadlines: Deadlines<PendingWrite>;
  readonly #expected = new Map<number, Expectation[]>();
  #waiting = 0;
  #nextId = 1;
  #appliedIndex: number;
  #closed = false;
  /** How often a write had to be placed again; for metrics and coverage. */
  replaced = 0;

  constructor(placer: Placer, clock: Clock, pendingMax: number, appliedIndex: number) {
    this.#placer = placer;
    this.#clock = clock;
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
    if (signal?.aborted === true) return Promise.reject(cancelled());
    return new Promise((resolve, reject) => {
      const onExpire = (late: PendingWrite) =>
        this.#settle(late, () => late.reject(late.overdueError()));
      const id = this.#nextId++;
      const write = new PendingWrite(id, command, deadlineMs, signal, resolve, reject, onExpire);
      const mustQueue = this.#waiting > 0;
      this.#byId.set(id, write);
      this.#waiting += 1;
      this.#deadlines.add(write);
      this.#bySignal.add(write);
      if (!mustQueue) this.#place(write);
    });
  }

  /** The leader's node `from` said where it put a forwarded write. */
  placedAt(from: number, id: number, placement: Placement): void {
    const write = this.#byId.get(id);
    if (write === undefined) return;
    // An answer of an earlier leader: the write may be applied there too, but the one asked last decides.
    if (write.stage === "forwarded" && write.forwardedTo === from) this.#placed(write, placement);
    else if (placement.index > this.#appliedIndex) this.#expect(write, placement);
  }

  /** The leader's node `from` did not take a forwarded write. */
  refused(from: number, id: number, error: ParleyError): void {
    const write = this.#byId.get(id);
    if (write === undefined || write.stage !== "forwarded" || write.forwardedTo !== from) return;
    // Wait for the next leader rather than ask in circles; and what may be in the log already can't
    // be refused any more.
    if (error.reason === "NOT_LEADER" || write.maybePlaced) this.#wait(write);
    else this.#settle(write, () => write.reject(error));
  }

  /**
   * There is a leader, of `term`: all that does not stand in its log already is placed (again), in the order
   * in which it was asked for.
   */
  leaderIs(term: number): void {
    for (const write of this.#byId.values()) {
      if (write.stage === "waiting") continue;
      if (write.stage === "placed" && write.placedTerm === term) continue;
      this.#lost(write);
    }
    this.placeWaiting();
  }

  /** The link to or from `peerId` was lost, and with it perhaps requests or their answers. */
  giveUpForwards(peerId: number): void {
    for (const write of this.#byId.values()) {
      if (write.stage === "forwarded" && write.forwardedTo === peerId) this.#lost(write);
    }
  }

  /** To be called now and then: gives up forwards without an answer, and tries again what waits. */
  poke(): void {
    const now = this.#clock.monotonicMs();
    for (const write of this.#byId.values()) {
      if (write.stage !== "forwarded" || now - write.forwardedMs < FORWARD_MS_MAX) continue;
      this.giveUpForwards(write.forwardedTo);
      break;
    }
    this.placeWaiting();
  }

  /** Places what waits, up to the first that can't be. */
  placeWaiting(): void {
    if (this.#waiting === 0) return;
    for (const write of this.#byId.values()) {
      if (write.stage === "waiting" && !this.#place(write)) return;
      if (this.#waiting === 0) return;
    }
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
      if (write.stage === "placed" && write.indices.length === 0) this.#again(write);
    }
  }

  /**
   * The state jumped to `index` without handing out the entries before it: what was placed there is asked for again,
   * and the same id gives the same result (P2).
   */
  jumped(index: number): void {
    this.#appliedIndex = index;
    for (const [at, expectations] of this.#expected) {
      if (at > index) continue;
      this.#expected.delete(at);
      for (const { write } of expectations) {
        write.indices.splice(write.indices.indexOf(at), 1);
        if (write.stage === "placed" && write.indices.length === 0) this.#lost(write);
      }
    }
    this.placeWaiting();
  }

  /** This node will not see for a while what becomes of them: whoever asked is told so, and asks elsewhere. */
  giveUp(): void {
    for (const write of [...this.#byId.values()]) {
      this.#settle(write, () => write.reject(write.overdueError()));
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

  /** False: it waits. */
  #place(write: PendingWrite): boolean {
    const result = this.#placer.place(write.id, write.command);
    // Placing may notice that time has passed, and settle it.
    if (!this.#byId.has(write.id)) return true;
    switch (result.kind) {
      case "forwarded":
        this.#leaveWaiting(write);
        write.stage = "forwarded";
        write.forwardedTo = result.to;
        write.forwardedMs = this.#clock.monotonicMs();
        return true;
      case "no-leader":
        this.#wait(write);
        return false;
      default:
        return result satisfies never;
    }
  }

  #placed(write: PendingWrite, placement: Placement): void {
    this.#leaveWaiting(write);
    write.stage = "placed";
    write.placedTerm = placement.term;
    write.maybePlaced = true;
    // Applied before this node heard where: ask again, the same id gives the same result.
    if (placement.index <= this.#appliedIndex) this.#again(write);
    else this.#expect(write, placement);
  }

  #expect(write: PendingWrite, placement: Placement): void {
    write.maybePlaced = true;
    write.indices.push(placement.index);
    const expectation = { term: placement.term, write };
    const others = this.#expected.get(placement.index);
    if (others === undefined) this.#expected.set(placement.index, [expectation]);
    else others.push(expectation);
  }

  /** Its place is taken: behind whatever waits, if anything does. */
  #again(write: PendingWrite): void {
    const mustQueue = this.#waiting > 0;
    this.#lost(write);
    if (!mustQueue) this.#place(write);
  }

  #lost(write: PendingWrite): void {
    write.maybePlaced = true;
    this.replaced += 1;
    this.#wait(write);
  }

  #wait(write: PendingWrite): void {
    if (write.stage === "waiting") return;
    write.stage = "waiting";
    this.#waiting += 1;
  }

  #leaveWaiting(write: PendingWrite): void {
    if (write.stage === "waiting") this.#waiting -= 1;
  }

  #settle(write: PendingWrite, act: () => void): void {
    if (!this.#byId.delete(write.id)) return;
    this.#leaveWaiting(write);
    this.#deadlines.delete(write);
    this.#bySignal.delete(write);
    for (const index of write.indices) {
      const left = this.#expected.get(index)?.filter((one) => one.write !== write) ?? [];
      if (left.length === 0) this.#expected.delete(index);
      else this.#expected.set(index, left);
    }
    act();
  }
}

function cancelled(): ParleyError {
  return new ParleyError("CANCELLED", "the caller gave up");
}

function shuttingDown(): ParleyError {
  return new ParleyError("SHUTTING_DOWN", "this node is stopping", { retryAfterMs: 20 });
}
