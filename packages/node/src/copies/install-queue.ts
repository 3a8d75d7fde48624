// The order around an install: the core accepts a snapshot at one moment, the copy takes the place of
// the chat file at a later one, and what the core writes in between has to wait for it.
import type { Message, Snapshot } from "@parley/raft";
import type { CopyHead } from "./copy-ports.ts";

/** An accepted snapshot, and the copy of the chat file that it came with. */
export interface Install {
  readonly message: Message;
  readonly head: CopyHead;
}

interface Offer {
  readonly head: CopyHead;
  readonly done: PromiseWithResolvers<boolean>;
  isTaken: boolean;
}

export class InstallQueue {
  #offer: Offer | undefined;
  #held: Message[] | undefined;
  #next: Install | undefined;

  /** What is to be installed once nothing is being applied any more. */
  get next(): Install | undefined {
    return this.#next;
  }

  /** A verified copy is at hand; resolves with true once it is installed. */
  offer(head: CopyHead): Promise<boolean> {
    if (this.#offer !== undefined) throw new Error("two copies are offered at once");
    this.#offer = { head, done: Promise.withResolvers(), isTaken: false };
    return this.#offer.done.promise;
  }

  isTaken(head: CopyHead): boolean {
    // Nothing in its place: it was taken and is installed already.
    return this.#offer?.head !== head || this.#offer.isTaken;
  }

  /** The core had no use for it. */
  withdraw(head: CopyHead): false {
    if (this.#offer?.head === head) this.#offer = undefined;
    return false;
  }

  /** The core accepted a snapshot. From now on its writes are held. */
  take(message: Message, snapshot: Snapshot): void {
    const offer = this.#offer;
    if (offer === undefined || offer.head.index !== snapshot.index) {
      throw new Error(`a snapshot as of ${snapshot.index} was accepted, but its copy is not here`);
    }
    offer.isTaken = true;
    this.#held = [];
    this.#next = { message, head: offer.head };
  }

  /** True: an install is under way, and the write comes after it. */
  hold(message: Message): boolean {
    this.#held?.push(message);
    return this.#held !== undefined;
  }

  /** The copy is installed: what was held, in order. */
  finish(head: CopyHead): readonly Message[] {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#next = undefined;
    if (this.#offer?.head === head) {
      this.#offer.done.resolve(true);
      this.#offer = undefined;
    }
    return held;
  }
}
