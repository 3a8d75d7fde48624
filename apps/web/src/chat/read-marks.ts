// Tells the cluster how far the person has read: only what was on the screen of a focused page, at most once per room in two seconds.
import type { ParleyClient } from "@parley/client/browser";

const PAUSE_MS = 2_000;

interface Mark {
  wanted: number;
  told: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export class ReadMarks {
  readonly #client: ParleyClient;
  readonly #marks = new Map<number, Mark>();

  constructor(client: ParleyClient) {
    this.#client = client;
  }

  /** `seq` was seen. A lower one than before says nothing. */
  seen(roomId: number, seq: number): void {
    const mark = this.#marks.get(roomId) ?? { wanted: 0, told: 0, timer: undefined };
    this.#marks.set(roomId, mark);
    if (seq <= mark.wanted) return;
    mark.wanted = seq;
    if (mark.timer === undefined) this.#tell(roomId, mark);
  }

  close(): void {
    for (const { timer } of this.#marks.values()) clearTimeout(timer);
    this.#marks.clear();
  }

  #tell(roomId: number, mark: Mark): void {
    const seq = mark.wanted;
    mark.timer = setTimeout(() => {
      mark.timer = undefined;
      if (mark.wanted > mark.told) this.#tell(roomId, mark);
    }, PAUSE_MS);
    this.#client.call("markRead", { roomId, seq }).then(
      () => {
        mark.told = Math.max(mark.told, seq);
      },
      // Without a quorum it is not told; the next time something is seen it is.
      () => {},
    );
  }
}
