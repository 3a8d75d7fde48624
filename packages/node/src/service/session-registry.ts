// All sessions of this node: how many there may be, whose tokens they carry, and what is done to all
// of them now and then.
import { type ClusterView, ParleyError, type Positions } from "@parley/protocol";
import type { Clock, Timer } from "../ports.ts";
import { clusterField, positionsField } from "./outbox.ts";
import { PositionsPush } from "./positions-push.ts";
import type { Session } from "./session.ts";
import type { Turn } from "./turn.ts";

const SWEEP_MS = 1_000;
/** A connection that has not said hello by then is not a client. */
const HELLO_MS_MAX = 10_000;
/** Cursors of idle subscribers move so often at the most, and slower when there are very many. */
const CURSOR_MS_MIN = 500;
const CURSOR_MS_PER_SESSION = 0.5;
const RETRY_AFTER_MS = 1_000;

export class SessionRegistry {
  readonly #clock: Clock;
  readonly #turn: Turn;
  readonly #sessionsMax: number;
  readonly #sessions = new Set<Session>();
  readonly #byLoginSession = new Map<number, Set<Session>>();
  #sweepTimer: Timer | undefined;
  #cursorTimer: Timer | undefined;
  #viewTimer: Timer | undefined;
  readonly #positions: PositionsPush;
  #closing = false;
  #emptied: (() => void) | undefined;

  constructor(clock: Clock, turn: Turn, sessionsMax: number, positions: () => Positions) {
    this.#clock = clock;
    this.#positions = new PositionsPush({
      clock,
      positions,
      sessions: () => this.#sessions.size,
      push: (moved) => {
        const field = positionsField(moved);
        for (const session of this.#sessions) session.positions(field);
      },
    });
    this.#turn = turn;
    this.#sessionsMax = sessionsMax;
  }

  get isClosing(): boolean {
    return this.#closing;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Why no further session is taken; undefined = there is room. */
  refusal(): ParleyError | undefined {
    const retryAfterMs = RETRY_AFTER_MS;
    if (this.#closing) {
      return new ParleyError("SHUTTING_DOWN", "the node is shutting down", { retryAfterMs });
    }
    if (this.#sessions.size >= this.#sessionsMax) {
      return new ParleyError("OVERLOADED", "the node has too many sessions", { retryAfterMs });
    }
    return undefined;
  }

  add(session: Session): void {
    this.#sessions.add(session);
    this.#sweepTimer ??= this.#clock.after(SWEEP_MS, () => this.#sweep());
  }

  /** A session has caught up, and is to be told where the disks are. */
  wentLive(): void {
    this.#positions.joined();
  }

  remove(session: Session): void {
    this.#sessions.delete(session);
    if (this.#sessions.size === 0) this.#emptied?.();
  }

  signedIn(session: Session, loginSessionId: number): void {
    const sessions = this.#byLoginSession.get(loginSessionId);
    if (sessions === undefined) this.#byLoginSession.set(loginSessionId, new Set([session]));
    else sessions.add(session);
  }

  signedOut(session: Session, loginSessionId: number): void {
    const sessions = this.#byLoginSession.get(loginSessionId);
    if (sessions?.delete(session) && sessions.size === 0) {
      this.#byLoginSession.delete(loginSessionId);
    }
  }

  get loginSessionIds(): IterableIterator<number> {
    return this.#byLoginSession.keys();
  }

  loginSessionEnded(loginSessionId: number): void {
    for (const session of [...(this.#byLoginSession.get(loginSessionId) ?? [])]) session.revoke();
  }

  /** Tells all sessions, once for all the changes of a turn. */
  viewChanged(view: () => ClusterView): void {
    this.#viewTimer ??= this.#clock.after(0, () => {
      this.#viewTimer = undefined;
      const field = clusterField(view());
      for (const session of this.#sessions) session.cluster(field);
    });
  }

  /** Something was applied: move the cursors of those who saw nothing of it, soon. */
  cursorsMoved(): void {
    this.#positions.moved();
    if (this.#cursorTimer !== undefined || this.#sessions.size === 0) return;
    const delayMs = Math.max(CURSOR_MS_MIN, this.#sessions.size * CURSOR_MS_PER_SESSION);
    this.#cursorTimer = this.#clock.after(delayMs, () => {
      this.#cursorTimer = undefined;
      for (const session of this.#sessions) {
        if (session.isLive) this.#turn.add(session);
      }
    });
  }

  /** Sends everybody away once what they asked is answered; resolves when all are gone, or after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    for (const session of [...this.#sessions]) {
      session.leaveWhenAnswered("SHUTTING_DOWN", RETRY_AFTER_MS);
    }
    if (this.#sessions.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#clock.after(graceMs, resolve);
        this.#emptied = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    for (const session of [...this.#sessions]) session.leave("SHUTTING_DOWN", RETRY_AFTER_MS);
    this.#sweepTimer?.cancel();
    this.#cursorTimer?.cancel();
    this.#viewTimer?.cancel();
  }

  #sweep(): void {
    this.#sweepTimer = undefined;
    const nowMs = this.#clock.monotonicMs();
    for (const session of this.#sessions) session.sweep(nowMs, HELLO_MS_MAX);
    if (this.#sessions.size > 0) {
      this.#sweepTimer = this.#clock.after(SWEEP_MS, () => this.#sweep());
    }
  }
}
