/** The raft log in SQLite, on a thread of its own. See DESIGN.md beside this folder. */
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type {
  DamagedEntry,
  LogPosition,
  LogState,
  LogStore,
  LogWrite,
  NodeIdentity,
} from "@parley/node/ports";
import type { Entry, HardState } from "@parley/raft";
import { packWrites, unpackEntries } from "./entry-codec.ts";
import { StorageError } from "./errors.ts";
import type { LogEngineOptions, LogInstall } from "./log-engine.ts";
import type { LogRequest, LogWorkerData } from "./log-worker.ts";
import { WorkerLink } from "./worker-link.ts";

const WORKER = new URL("./log-worker.ts", import.meta.url);

/** Writes of one turn of the event loop, and the promise that their callers share. */
interface Gathered {
  readonly writes: LogWrite[];
  readonly done: PromiseWithResolvers<void>;
}

interface Opened {
  readonly state: LogState;
  readonly chatGeneration: number;
  readonly witness: Uint8Array | undefined;
}

/**
 * `LogStore` on the raft file at `path` and the high-water record beside it. All rejections are
 * {@link StorageError}s; all but `invalid` reads are final.
 */
export class SqliteLogStore implements LogStore {
  readonly path: string;
  private readonly link: WorkerLink<LogRequest>;
  private gathered: Gathered | undefined;
  private generation = 0;
  private witness: Uint8Array | undefined;
  private readonly onSync: ((syncMs: number) => void) | undefined;
  /** Appends posted and not answered yet. */
  private underWay = 0;
  /** The newest one that was asked for. */
  private hardState: HardState | undefined;
  /** `hardState` has a newer commit index than the thread was told. */
  private holdsCommit = false;

  /** `onSync` is told how long each group took to reach the disk, sync included. */
  constructor(path: string, options: LogEngineOptions = {}, onSync?: (syncMs: number) => void) {
    this.path = path;
    this.onSync = onSync;
    this.link = new WorkerLink(WORKER, { path, options } satisfies LogWorkerData, path);
  }

  async open(): Promise<LogState> {
    try {
      const opened = (await this.link.call({ kind: "open" })) as Opened;
      this.generation = opened.chatGeneration;
      this.witness = opened.witness;
      this.hardState = opened.state.hardState;
      return opened.state;
    } catch (cause) {
      // The thread must not outlive a log that never opened; why it did not matters more.
      await this.link.close().catch(() => {});
      throw cause;
    }
  }

  async setIdentity(identity: NodeIdentity): Promise<void> {
    this.flush();
    await this.link.call({ kind: "set-identity", identity });
  }

  append(write: LogWrite): Promise<void> {
    if (this.holds(write)) return Promise.resolve();
    // Calls of one turn travel together: a hop between threads costs more than their packing.
    if (this.gathered === undefined) {
      this.gathered = { writes: [], done: Promise.withResolvers() };
      queueMicrotask(() => this.flush());
    }
    this.gathered.writes.push(write);
    this.hardState = write.hardState ?? this.hardState;
    return this.gathered.done.promise;
  }

  /**
   * A newer commit index alone may be lost (Raft paper, figure 2: volatile state), so it is kept here until
   * there is something to sync: two hops between threads less for each committed batch. Not while
   * something is being synced: what the caller says next may rest on that.
   */
  private holds({ hardState, entries }: LogWrite): boolean {
    const known = this.hardState;
    if (hardState === undefined || known === undefined || entries.length > 0) return false;
    if (hardState.term !== known.term || hardState.vote !== known.vote) return false;
    if (this.underWay > 0 || this.gathered !== undefined || this.link.hasFailed) return false;
    this.hardState = hardState;
    this.holdsCommit = true;
    return true;
  }

  async read(lo: number, hi: number, bytesMax: number): Promise<readonly Entry[] | DamagedEntry> {
    this.flush();
    const answer = await this.link.call({ kind: "read", lo, hi, bytesMax });
    return answer instanceof Uint8Array ? unpackEntries(answer) : (answer as DamagedEntry);
  }

  async compact(index: number, dataFloor = 0): Promise<LogPosition> {
    return (await this.link.call({ kind: "compact", index, dataFloor })) as LogPosition;
  }

  async sizeBytes(): Promise<number> {
    return (await this.link.call({ kind: "size" })) as number;
  }

  async freeBytes(): Promise<number> {
    try {
      const { bavail, bsize } = await statfs(dirname(this.path));
      return bavail * bsize;
    } catch (cause) {
      throw StorageError.from(cause, this.path, "asking for the free space");
    }
  }

  async close(): Promise<void> {
    this.flush();
    if (this.holdsCommit && !this.link.hasFailed) this.post([]).catch(() => {});
    await this.link.close();
  }

  /** Which chat file is current. Known once the log is open. */
  get chatGeneration(): number {
    return this.generation;
  }

  /** Switches to another chat file, durably; generations only rise. */
  async setChatGeneration(generation: number): Promise<void> {
    await this.link.call({ kind: "set-chat-generation", generation });
    this.generation = generation;
  }

  /**
   * Makes a copy of the chat file the current one, together with what it means for the log; the answer to
   * writes from before comes first. Resolves with the log as it is then.
   */
  async install(install: LogInstall): Promise<LogState> {
    this.flush();
    // The log begins anew behind what was committed.
    this.holdsCommit = false;
    const state = (await this.link.call({ kind: "install", install })) as LogState;
    this.generation = install.generation;
    this.hardState = state.hardState;
    return state;
  }

  /**
   * Everything up to `index` is durably applied, so a later start need not verify those entries
   * before it trusts the log. Saved along with the next write.
   */
  async noteDurableApplied(index: number): Promise<void> {
    await this.link.call({ kind: "note-durable-applied", index });
  }

  /** What a witness had noted last, when the log was opened. */
  get witnessState(): Uint8Array | undefined {
    return this.witness;
  }

  /** The state of a witness that has applied everything up to `index`; saved along with the next write. */
  async noteWitness(index: number, state: Uint8Array): Promise<void> {
    await this.link.call({ kind: "note-witness", index, state });
  }

  private flush(): void {
    const { gathered } = this;
    if (gathered === undefined) return;
    this.gathered = undefined;
    this.post(gathered.writes).then(() => gathered.done.resolve(), gathered.done.reject);
  }

  /** Writes these, and before them the commit index that is held. */
  private async post(writes: readonly LogWrite[]): Promise<void> {
    const held = { hardState: this.hardState, entries: [] };
    let packed: Uint8Array<ArrayBuffer>;
    try {
      packed = packWrites(this.holdsCommit ? [held, ...writes] : writes);
    } catch (cause) {
      throw StorageError.from(cause, this.path, "packing a write");
    }
    this.holdsCommit = false;
    this.underWay += 1;
    try {
      const syncMs = await this.link.call({ kind: "append", packed }, [packed.buffer]);
      if (typeof syncMs === "number") this.onSync?.(syncMs);
    } finally {
      this.underWay -= 1;
    }
  }
}
