// Backup: a consistent copy of the chat state, streamed to an operator while the node goes on.
import { BackupResponse, ParleyError } from "@parley/protocol";
import type { CopyHead, CopyStore } from "../copies/copy-ports.ts";
import type { Clock, FrameSink, Timer } from "../ports.ts";

/** Layout of backups, and of the chat file in them: a reader of an older one refuses it. */
export const BACKUP_FORMAT_VERSION = 1;

/** Where copies come from. */
export interface CopySource {
  /** A copy as of `minRevision` at least. Rejects with why there is none. */
  take(minRevision: number): Promise<CopyHead>;
  hold(head: CopyHead): void;
  release(head: CopyHead): void;
  readonly copies: Pick<CopyStore, "read">;
}

const PIECE_BYTES = 256 * 1024;
/** An operator's connection that takes no more than this is waited for. */
const BACKLOG_BYTES_MAX = 1024 * 1024;
const POLL_MS = 5;
/** One that takes nothing for so long is given up. */
const STALL_MS_MAX = 60_000;

export class Backup {
  readonly #source: CopySource;
  readonly #clock: Clock;
  readonly #sink: FrameSink;
  #timer: Timer | undefined;
  #isCancelled = false;

  constructor(source: CopySource, clock: Clock, sink: FrameSink) {
    this.#source = source;
    this.#clock = clock;
    this.#sink = sink;
  }

  /** Streams everything up to `revision` at least. Rejects with why it can't. */
  async run(clusterId: string, revision: number): Promise<CopyHead> {
    const head = await this.#source.take(revision);
    this.#source.hold(head);
    try {
      await this.#stream(head, clusterId);
    } finally {
      this.#source.release(head);
    }
    return head;
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#timer?.cancel();
  }

  async #stream(copy: CopyHead, clusterId: string): Promise<void> {
    const head = {
      formatVersion: BACKUP_FORMAT_VERSION,
      clusterId,
      revision: copy.index,
      term: copy.term,
      bytes: copy.bytes,
      sha256: copy.sha256,
      stateHash: copy.stateHash,
      madeAtMs: Math.floor(this.#clock.wallMs()),
    };
    this.#send({ head });
    for (let offset = 0; offset < copy.bytes && !this.#isCancelled; ) {
      await this.#taken();
      const length = Math.min(PIECE_BYTES, copy.bytes - offset);
      const { bytes: data, crc32 } = await this.#source.copies.read(copy.copyId, offset, length);
      this.#send({ data, crc32 });
      offset += data.length;
    }
  }

  #send(response: Partial<BackupResponse>): void {
    if (!this.#isCancelled) {
      this.#sink.send(BackupResponse.encode(BackupResponse.fromPartial(response)).finish());
    }
  }

  async #taken(): Promise<void> {
    const startedMs = this.#clock.monotonicMs();
    while (!this.#isCancelled && this.#sink.backlogBytes() > BACKLOG_BYTES_MAX) {
      if (this.#clock.monotonicMs() - startedMs > STALL_MS_MAX) {
        throw new ParleyError("DEADLINE_EXCEEDED", "the backup is not taken fast enough");
      }
      await new Promise<void>((resolve) => {
        this.#timer = this.#clock.after(POLL_MS, resolve);
      });
    }
  }
}
