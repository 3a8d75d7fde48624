// Tells the cluster how far the person has read: only what was on the screen of a focused page, at most once per room, and per
// thread of it, in two seconds.
import type { ParleyClient } from "@parley/client/browser";

const PAUSE_MS = 2_000;

interface Mark {
  wanted: number;
  told: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export class ReadMarks {
  readonly #client: ParleyClient;
  /** By room and thread. */
  readonly #marks = new Map<string, Mark>();

  constructor(client: ParleyClient) {
    this.#client = client;
  }

  /** `seq` was seen; in a thread of the room, if it is not 0. A lower one than before says nothing. */
  seen(roomId: number, seq: number, threadRootSeq = 0): void {
    const key = `${roomId}:${threadRootSeq}`;
    const mark = this.#marks.get(key) ?? { wanted: 0, told: 0, timer: undefined };
    this.#marks.set(key, mark);
    if (seq <= mark.wanted) return;
    mark.wanted = seq;
    if (mark.timer === undefined) this.#tell(roomId, threadRootSeq, mark);
  }

  close(): void {
    for (const { timer } of this.#marks.values()) clearTimeout(timer);
    this.#marks.clear();
  }

  #tell(roomId: number, threadRootSeq: number, mark: Mark): void {
    const seq = mark.wanted;
    mark.timer = setTimeout(() => {
      mark.timer = undefined;
      if (mark.wanted > mark.told) this.#tell(roomId, threadRootSeq, mark);
    }, PAUSE_MS);
    this.#client.call("markRead", { roomId, seq, threadRootSeq }).then(
      () => {
        mark.told = Math.max(mark.told, seq);
      },
      // Without a quorum it is not told; the next time something is seen it is.
      () => {},
    );
  }
}
