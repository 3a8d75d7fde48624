// The messages of one room that wait for their commit, in the order in which they were written (P3).
import type { ParleyError } from "@parley/protocol";
import type { Ask } from "./exchange.ts";
import type { OutboxItem, Timer } from "./ports.ts";
import type { SendResult } from "./sends.ts";

/** A message of the outbox on its way. */
export interface Entry extends Ask {
  item: OutboxItem;
  readonly bytes: number;
  /** `deleting`: committed, and to be deleted. */
  state: "storing" | "ready" | "sent" | "failed" | "deleting";
  /** It is in the store; whoever finds it missing there knows that it was dealt with. */
  lasts: boolean;
  /** Whether a node may have it. */
  transmitted: boolean;
  /** Its author asked for it back, and the sender has not said yet what becomes of it. */
  isCancelled: boolean;
  exchangeId: number;
  attempts: number;
  notBeforeMs: number;
  /** Numbers of the last transmission and of the last one known when it was refused. */
  sentSerial: number;
  refusedSerial: number;
  token: string;
  /** Its neighbours in the room's queue. */
  previous: Entry | undefined;
  next: Entry | undefined;
  settle: ((result: { value: SendResult } | { error: ParleyError }) => void) | undefined;
}

/** A linked list: messages leave it from anywhere, and there may be thousands. */
export class RoomQueue {
  /** When the first that must pause may go on. */
  timer: Timer | undefined;
  #head: Entry | undefined;
  #tail: Entry | undefined;

  get head(): Entry | undefined {
    return this.#head;
  }

  append(entry: Entry): void {
    entry.previous = this.#tail;
    entry.next = undefined;
    if (this.#tail === undefined) this.#head = entry;
    else this.#tail.next = entry;
    this.#tail = entry;
  }

  /** Returns whether it was in the queue. */
  remove(entry: Entry): boolean {
    if (this.#head !== entry && entry.previous === undefined) return false;
    if (entry.previous === undefined) this.#head = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next === undefined) this.#tail = entry.previous;
    else entry.next.previous = entry.previous;
    entry.previous = undefined;
    entry.next = undefined;
    return true;
  }
}
