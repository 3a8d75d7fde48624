// What this client says of its own person's typing: seldom, on the session that there is, and never again.
import { ClientFrame } from "@parley/protocol";
import type { Clock } from "./ports.ts";
import { TIMING } from "./timing.ts";

export type TypingNews =
  | {
      readonly kind: "types";
      readonly roomId: number;
      readonly accountId: number;
      readonly username: string;
    }
  /** A message of theirs has come: what they wrote is there. */
  | { readonly kind: "sent"; readonly roomId: number; readonly accountId: number };

/** Rooms of which it is known when it was said; people write in one at a time (P11). */
const ROOMS_MAX = 100;

export class TypingSignals {
  readonly #clock: Clock;
  readonly #send: (frame: Uint8Array) => boolean;
  /** When it was last said of a room, the oldest first. */
  readonly #saidAtMs = new Map<number, number>();

  /** `send` takes an encoded ClientFrame; false = there is no session, and nothing was said. */
  constructor(clock: Clock, send: (frame: Uint8Array) => boolean) {
    this.#clock = clock;
    this.#send = send;
  }

  /** A key was pressed. */
  typed(roomId: number): void {
    const nowMs = this.#clock.monotonicMs();
    const saidAtMs = this.#saidAtMs.get(roomId) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - saidAtMs < TIMING.typingRepeatMs) return;
    const frame = ClientFrame.fromPartial({ typing: { roomId } });
    if (!this.#send(ClientFrame.encode(frame).finish())) return;
    this.#saidAtMs.delete(roomId);
    this.#saidAtMs.set(roomId, nowMs);
    const [oldest] = this.#saidAtMs.keys();
    if (this.#saidAtMs.size > ROOMS_MAX && oldest !== undefined) this.#saidAtMs.delete(oldest);
  }

  /** The text was sent: the next key begins another one. */
  sent(roomId: number): void {
    this.#saidAtMs.delete(roomId);
  }
}
