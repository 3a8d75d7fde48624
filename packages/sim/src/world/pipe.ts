// One direction of a connection: bytes in order, like TCP. What is lost on the way is sent again, so
// while the direction is cut its frames wait, and arrive in a burst when it heals; only the end of
// the connection loses them.
import type { Prng } from "./prng.ts";
import type { Scheduled, Scheduler } from "./scheduler.ts";

export interface PipeConditions {
  /** Whether frames pass now. */
  open(): boolean;
  /** How long a frame of this size takes from end to end. */
  latencyUs(bytes: number): number;
}

type Segment =
  | { readonly kind: "frame"; readonly bytes: Uint8Array; readonly dueUs: number }
  | { readonly kind: "end"; readonly dueUs: number };

export interface PipeEnd {
  onFrame(bytes: Uint8Array): void;
  onFinished(): void;
  /** The backlog has fallen below half of its bound after a frame was refused. */
  onDrain(): void;
}

export class Pipe {
  readonly #scheduler: Scheduler;
  readonly #random: Prng;
  readonly #conditions: PipeConditions;
  readonly #backlogBytesMax: number;
  readonly #end: PipeEnd;
  readonly #segments: Segment[] = [];
  #head = 0;
  #backlogBytes = 0;
  #lastDueUs = 0;
  #refusedSome = false;
  #scheduled: Scheduled | undefined;
  #finished = false;
  /** Since when the oldest frame could not pass; undefined = frames pass. */
  stuckSinceUs: number | undefined;

  constructor(
    scheduler: Scheduler,
    random: Prng,
    conditions: PipeConditions,
    backlogBytesMax: number,
    end: PipeEnd,
  ) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#conditions = conditions;
    this.#backlogBytesMax = backlogBytesMax;
    this.#end = end;
  }

  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  /** False = the backlog is full and the frame is dropped. */
  send(bytes: Uint8Array): boolean {
    if (this.#finished) return false;
    if (this.#backlogBytes > 0 && this.#backlogBytes + bytes.length > this.#backlogBytesMax) {
      this.#refusedSome = true;
      return false;
    }
    this.#backlogBytes += bytes.length;
    this.#append({ kind: "frame", bytes, dueUs: this.#dueUs(bytes.length) });
    return true;
  }

  /** The sender closes: the other end hears of it after everything sent before. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#append({ kind: "end", dueUs: this.#dueUs(0) });
  }

  /** The sender is killed: some of what it has handed over last may never leave. */
  reset(): void {
    if (this.#finished) return;
    const waiting = this.#segments.length - this.#head;
    if (waiting > 0) this.#segments.length -= this.#random.int(waiting + 1);
    if (this.#segments.length === this.#head) {
      this.#scheduled?.cancel();
      this.#scheduled = undefined;
    }
    this.finish();
  }

  /** Nothing arrives any more, the end neither. */
  cut(): void {
    this.#finished = true;
    this.#scheduled?.cancel();
    this.#scheduled = undefined;
    this.#segments.length = 0;
    this.#head = 0;
    this.#backlogBytes = 0;
  }

  /** The network has changed: a stuck pipe tries again, as a retransmission timer does. */
  nudge(): void {
    if (this.stuckSinceUs === undefined || !this.#conditions.open()) return;
    this.stuckSinceUs = undefined;
    this.#scheduled?.cancel();
    const retransmissionUs = this.#random.between(1_000, 200_000);
    this.#scheduled = this.#scheduler.after(retransmissionUs, () => this.#deliver());
  }

  #dueUs(bytes: number): number {
    const due = this.#scheduler.nowUs + this.#conditions.latencyUs(bytes);
    this.#lastDueUs = Math.max(this.#lastDueUs, due);
    return this.#lastDueUs;
  }

  #append(segment: Segment): void {
    this.#segments.push(segment);
    if (this.#scheduled === undefined && this.stuckSinceUs === undefined) this.#schedule();
  }

  #schedule(): void {
    const next = this.#segments[this.#head];
    if (next === undefined) {
      this.#segments.length = 0;
      this.#head = 0;
      this.#scheduled = undefined;
      return;
    }
    this.#scheduled = this.#scheduler.at(next.dueUs, () => this.#deliver());
  }

  #deliver(): void {
    this.#scheduled = undefined;
    if (!this.#conditions.open()) {
      this.stuckSinceUs = this.#scheduler.nowUs;
      return;
    }
    const segment = this.#segments[this.#head];
    if (segment === undefined) return;
    this.#head += 1;
    if (this.#head > 256 && this.#head * 2 > this.#segments.length) {
      this.#segments.splice(0, this.#head);
      this.#head = 0;
    }
    this.#schedule();
    if (segment.kind === "end") {
      this.#end.onFinished();
      return;
    }
    this.#backlogBytes -= segment.bytes.length;
    this.#end.onFrame(segment.bytes);
    if (this.#refusedSome && this.#backlogBytes < this.#backlogBytesMax / 2) {
      this.#refusedSome = false;
      this.#end.onDrain();
    }
  }
}
