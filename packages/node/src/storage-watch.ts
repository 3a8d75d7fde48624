// What this node has on its disk, for operators: looked at once a second, the same in between, so that
// gossip does not repeat it for nothing.
import type { MemberStorage } from "@parley/protocol";
import type { CopyUsage } from "./copies/copy-shelf.ts";
import type { ChatStore, Clock } from "./ports.ts";

const LOOK_MS = 1_000;

export interface StorageFigures {
  readonly compactedIndex: number;
  readonly logBytes: number;
  /** 0 = there are no witnesses. */
  readonly dataFloor: number;
  readonly copies: CopyUsage;
}

export class StorageWatch {
  readonly #clock: Clock;
  readonly #chatStore: ChatStore;
  readonly #figures: () => StorageFigures;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #now: MemberStorage = {
    compactedIndex: 0,
    logBytes: 0,
    chatBytes: 0,
    copies: 0,
    copyBytes: 0,
    copyAgeMs: 0,
    dataFloor: 0,
  };

  constructor(
    ports: { readonly clock: Clock; readonly chatStore: ChatStore },
    figures: () => StorageFigures,
  ) {
    this.#clock = ports.clock;
    this.#chatStore = ports.chatStore;
    this.#figures = figures;
  }

  /** As of the last look. */
  get now(): MemberStorage {
    return this.#now;
  }

  /** Looks when it is time to. */
  check(): void {
    const now = this.#clock.monotonicMs();
    if (now - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = now;
    this.#chatStore.sizeBytes().then(
      (chatBytes) => this.#take(chatBytes),
      () => {
        // A store that is broken stops the node by itself; this is only a figure of it.
      },
    );
  }

  #take(chatBytes: number): void {
    const { compactedIndex, logBytes, dataFloor, copies } = this.#figures();
    const { count, bytes: copyBytes, ageMs: copyAgeMs } = copies;
    this.#now = {
      compactedIndex,
      logBytes,
      chatBytes,
      copies: count,
      copyBytes,
      copyAgeMs,
      dataFloor,
    };
  }
}
