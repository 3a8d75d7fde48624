// What a reply answers, for showing a few words of it: from what was shown before, else from a node.
import type { ParleyClient } from "@parley/client";
import type { Message } from "@parley/protocol";

/** Messages of the open room that are kept to be quoted. */
const KEPT_MAX = 500;
/** Looked up for one page of history, or one reply, at the most: the others go without a quote. */
const LOOKED_UP_MAX = 10;
const DEADLINE_MS = 2_000;

export class Quotes {
  readonly #client: ParleyClient;
  /** Undefined = it was looked up and is not to be had. */
  readonly #messages = new Map<number, Message | undefined>();
  #roomId = 0;

  constructor(client: ParleyClient) {
    this.#client = client;
  }

  /** Another room: what was kept is of no use. */
  reset(roomId: number): void {
    this.#roomId = roomId;
    this.#messages.clear();
  }

  /** A message that was shown, or has changed. */
  keep(message: Message): void {
    if (message.roomId === this.#roomId) this.#put(message.seq, message);
  }

  /** Changed since it was kept; what was never kept is not wanted. */
  changed(message: Message): void {
    if (this.#messages.has(message.seq)) this.keep(message);
  }

  #put(seq: number, message: Message | undefined): void {
    this.#messages.delete(seq);
    this.#messages.set(seq, message);
    const [oldest] = this.#messages.keys();
    if (this.#messages.size > KEPT_MAX && oldest !== undefined) this.#messages.delete(oldest);
  }

  /** What the message answers; undefined = nothing, or it is not known. */
  of(message: Message): Message | undefined {
    return this.#messages.get(message.replyToSeq);
  }

  /** Whether it has to be looked up first. */
  lacks(message: Message): boolean {
    return message.replyToSeq > 0 && !this.#messages.has(message.replyToSeq);
  }

  /** Looks up what the messages answer. Never rejects. */
  async lookUp(messages: readonly Message[]): Promise<void> {
    const roomId = this.#roomId;
    const lacking = messages.filter((message) => this.lacks(message));
    const seqs = [...new Set(lacking.map(({ replyToSeq }) => replyToSeq))];
    const found = await Promise.all(
      seqs.slice(-LOOKED_UP_MAX).map((seq) => this.#fetch(roomId, seq)),
    );
    if (roomId !== this.#roomId) return;
    for (const seq of seqs) this.#put(seq, undefined);
    for (const message of found) if (message !== undefined) this.keep(message);
  }

  async #fetch(roomId: number, seq: number): Promise<Message | undefined> {
    try {
      const request = { roomId, afterSeq: seq - 1, beforeSeq: seq + 1, limit: 1 };
      const { messages } = await this.#client.call("history", request, { deadlineMs: DEADLINE_MS });
      return messages[0];
    } catch {
      return undefined;
    }
  }
}
