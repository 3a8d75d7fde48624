/** The chat file behind its port: one thread applies, others read. See DESIGN.md beside this folder. */
import { existsSync, renameSync, rmSync } from "node:fs";
import { stat } from "node:fs/promises";
import type { AppliedBatch, ChatAnswer, ChatQuery } from "@parley/chat";
import type {
  ApplyRequest,
  ChatStore,
  ChatStoreState,
  CopyHead,
  InstalledCopy,
  Logger,
  LogState,
  Membership,
} from "@parley/node/ports";
import type { HardState } from "@parley/raft";
import { detachedQuery, type PackedAnswer, unpackAnswer } from "./answer-codec.ts";
import { packApplyRequest, unpackBatch } from "./apply-codec.ts";
import type {
  AppliedMessage,
  ApplyThreadRequest,
  ChatWorkerData,
  OpenOutcome,
} from "./chat-apply-worker.ts";
import type { ReadThreadRequest, ReadWorkerData } from "./chat-read-worker.ts";
import { StorageError } from "./errors.ts";
import {
  chatPath,
  corruptChatPath,
  removeLeftovers,
  removeWithSidecars,
  suspectPath,
  syncDirectoryOf,
} from "./files.ts";
import type { LogInstall } from "./log-engine.ts";
import { SqliteCopies } from "./sqlite-copies.ts";
import { WorkerLink } from "./worker-link.ts";

const APPLY_WORKER = new URL("./chat-apply-worker.ts", import.meta.url);
const READ_WORKER = new URL("./chat-read-worker.ts", import.meta.url);
const READERS_MAX_DEFAULT = 2;
const VERIFY_BYTES_MAX_DEFAULT = 256 * 1024 * 1024;

/** The raft file's side of the chat file: which generation is current. `SqliteLogStore` is one. */
export interface ChatFileOwner {
  readonly chatGeneration: number;
  setChatGeneration(generation: number): Promise<void>;
  noteDurableApplied(index: number): Promise<void>;
  /** Moves the pointer and resets the log, in one transaction. */
  install(install: LogInstall): Promise<LogState>;
}

export interface SqliteChatStoreOptions {
  /** The configured path of the raft file; the chat file stands beside it. */
  readonly dbPath: string;
  /** Must be open before this store is opened. */
  readonly owner: ChatFileOwner;
  readonly logger: Logger;
  /** Read threads at the most; the second one starts when the first has more than it can do. */
  readonly readersMax?: number;
  /** Files up to this size are verified whole before they are served. */
  readonly verifyBytesMax?: number;
  /** Exports `ChatMachine` and `ChatReader`; `@parley/chat` unless a test brings its own. */
  readonly module?: string;
  /** Pages that a copy may have; for tests of a full disk. */
  readonly copyPagesMax?: number;
}

interface Reader {
  readonly link: WorkerLink<ReadThreadRequest>;
  underWay: number;
}

/** All rejections are final {@link StorageError}s, whichever thread they come from. */
export class SqliteChatStore implements ChatStore {
  readonly copies: SqliteCopies;
  private readonly options: SqliteChatStoreOptions;
  private readonly applier: WorkerLink<ApplyThreadRequest>;
  /** Started at once, so that it has loaded its code when the file is open. */
  private readonly firstReader: Reader;
  private readonly readers: Reader[] = [];
  /** Searches have a thread of their own, from the first one on: however long one takes, no other read waits for it. */
  private searcher: Reader | undefined;
  private path = "";
  private durable = 0;
  private failure: StorageError | undefined;

  constructor(options: SqliteChatStoreOptions) {
    this.options = options;
    const data: ChatWorkerData = { module: options.module };
    this.applier = new WorkerLink(APPLY_WORKER, data, this.file);
    this.firstReader = this.startReader();
    const { dbPath, module, copyPagesMax: pagesMax } = options;
    this.copies = new SqliteCopies(
      { dbPath, module, pagesMax },
      {
        chatFile: () => this.path,
        beingCopied: async (isBeingCopied) => {
          await this.guarded(this.applier.call({ kind: "being-copied", isBeingCopied }));
        },
      },
    );
  }

  async open(initial: Membership | undefined, logBeginsAfter = 0): Promise<ChatStoreState> {
    try {
      return await this.openFile(initial, logBeginsAfter);
    } catch (cause) {
      // The threads must not outlive a store that never opened; why it did not matters more.
      await this.close().catch(() => {});
      throw cause;
    }
  }

  async apply(request: ApplyRequest): Promise<AppliedBatch> {
    const packed = packApplyRequest(request);
    const reply = await this.guarded(this.applier.call({ kind: "apply", packed }, [packed.buffer]));
    const message = reply as AppliedMessage;
    this.noteDurable(message.durableApplied);
    return unpackBatch(message.packed);
  }

  async read(query: ChatQuery): Promise<ChatAnswer> {
    const isSearch = query.kind === "operation" && query.operation === "search";
    const reader = isSearch ? this.searchingReader() : this.leastBusyReader();
    reader.underWay += 1;
    try {
      const call = reader.link.call({ kind: "read", query: detachedQuery(query) });
      return unpackAnswer((await this.guarded(call)) as PackedAnswer);
    } finally {
      reader.underWay -= 1;
    }
  }

  async stateHash(
    atIndex: number,
  ): Promise<{ readonly appliedIndex: number; readonly hash: string } | undefined> {
    const hash = await this.guarded(this.applier.call({ kind: "state-hash", atIndex }));
    return hash as { appliedIndex: number; hash: string } | undefined;
  }

  async sizeBytes(): Promise<number> {
    const sizes = ["", "-wal"].map(async (suffix) => (await stat(this.path + suffix)).size);
    const found = await Promise.allSettled(sizes);
    let bytes = 0;
    for (const size of found) if (size.status === "fulfilled") bytes += size.value;
    return bytes;
  }

  /** Moves what is applied into the main file; resolves with {@link durableApplied}. */
  async checkpoint(): Promise<number> {
    const durable = await this.guarded(this.applier.call({ kind: "checkpoint" }));
    this.noteDurable(durable as number);
    return this.durable;
  }

  /** Everything up to this index survives a power cut without the log. */
  get durableApplied(): number {
    return this.durable;
  }

  async install(head: CopyHead, hardState: HardState | undefined): Promise<InstalledCopy> {
    try {
      return await this.installFile(head, hardState);
    } catch (cause) {
      const error = StorageError.from(cause, this.path, "installing a copy of the chat file");
      this.failure ??= error;
      throw error;
    }
  }

  /** The file under its final name, the pointer, the threads, and only then the old file goes. */
  private async installFile(
    head: CopyHead,
    hardState: HardState | undefined,
  ): Promise<InstalledCopy> {
    const { dbPath, owner } = this.options;
    const before = this.path;
    const generation = owner.chatGeneration + 1;
    await this.copies.giveTo(head, chatPath(dbPath, generation));
    const { index, term } = head;
    const log = await owner.install({ generation, position: { index, term }, hardState });
    this.path = chatPath(dbPath, generation);
    // It has just been verified.
    const body: ApplyThreadRequest = {
      kind: "open",
      path: this.path,
      initial: undefined,
      logBeginsAfter: index,
      verifyBytesMax: 0,
    };
    const opened = (await this.guarded(this.applier.call(body))) as OpenOutcome;
    if (opened.kind === "damaged") {
      throw new StorageError("corrupt", this.path, `${this.path}: ${opened.found}`);
    }
    this.durable = opened.durableApplied;
    await Promise.all(
      this.allReaders.map(({ link }) => this.guarded(link.call({ kind: "open", path: this.path }))),
    );
    removeWithSidecars(before);
    return { log, chat: opened.state };
  }

  async close(): Promise<void> {
    await this.copies.close();
    await Promise.all([this.firstReader, ...this.allReaders].map(({ link }) => link.close()));
    // Last: the connection that goes last moves the WAL into the main file.
    await this.applier.close();
  }

  private async openFile(
    initial: Membership | undefined,
    logBeginsAfter: number,
  ): Promise<ChatStoreState> {
    removeLeftovers(this.options.dbPath, this.options.owner.chatGeneration);
    let outcome = await this.openGeneration(initial, logBeginsAfter);
    if (outcome.kind === "damaged") {
      await this.replaceDamagedFile(outcome.found);
      outcome = await this.openGeneration(initial, logBeginsAfter);
    }
    if (outcome.kind === "damaged") {
      throw new StorageError("corrupt", this.path, `${this.path}: a new file: ${outcome.found}`);
    }
    this.noteDurable(outcome.durableApplied);
    await this.guarded(this.firstReader.link.call({ kind: "open", path: this.path }));
    this.readers.push(this.firstReader);
    return outcome.state;
  }

  /** What errors are about before the generation is known. */
  private get file(): string {
    return this.path === "" ? `${this.options.dbPath}-chat` : this.path;
  }

  private async openGeneration(
    initial: Membership | undefined,
    logBeginsAfter: number,
  ): Promise<OpenOutcome> {
    this.path = chatPath(this.options.dbPath, this.options.owner.chatGeneration);
    const suspect = suspectPath(this.path);
    const verifyBytesMax = existsSync(suspect)
      ? Number.POSITIVE_INFINITY
      : (this.options.verifyBytesMax ?? VERIFY_BYTES_MAX_DEFAULT);
    const body: ApplyThreadRequest = {
      kind: "open",
      path: this.path,
      initial,
      logBeginsAfter,
      verifyBytesMax,
    };
    const outcome = (await this.applier.call(body)) as OpenOutcome;
    if (outcome.kind !== "damaged") rmSync(suspect, { force: true });
    return outcome;
  }

  /**
   * Puts a damaged file aside and makes the next generation current, an empty one: what the log has is applied
   * again, and what it hasn't any more comes with a copy from a peer. The pointer moves first: from
   * then on no remains of the old file matter.
   */
  private async replaceDamagedFile(found: string): Promise<void> {
    const { dbPath, owner, logger } = this.options;
    const generation = owner.chatGeneration;
    const aside = corruptChatPath(dbPath, generation);
    logger.error(
      { file: this.path, found, aside, generation: generation + 1 },
      "the chat file is damaged; it is put aside and made again",
    );
    await owner.setChatGeneration(generation + 1);
    try {
      // Only the newest damaged file is kept (P11).
      if (generation > 1) removeWithSidecars(corruptChatPath(dbPath, generation - 1));
      for (const suffix of ["", "-wal", "-shm"]) {
        if (existsSync(this.path + suffix)) renameSync(this.path + suffix, aside + suffix);
      }
      rmSync(suspectPath(this.path), { force: true });
      syncDirectoryOf(this.path);
    } catch (cause) {
      throw StorageError.from(cause, this.path, "putting the damaged chat file aside");
    }
  }

  private startReader(): Reader {
    const data: ReadWorkerData = { module: this.options.module };
    return { link: new WorkerLink<ReadThreadRequest>(READ_WORKER, data, this.file), underWay: 0 };
  }

  private leastBusyReader(): Reader {
    let least: Reader | undefined;
    for (const reader of this.readers) {
      if (least === undefined || reader.underWay < least.underWay) least = reader;
    }
    if (least === undefined) throw new StorageError("closed", this.path, "the chat is not open");
    const readersMax = this.options.readersMax ?? READERS_MAX_DEFAULT;
    if (least.underWay === 0 || this.readers.length >= readersMax) return least;
    const another = this.openReader();
    this.readers.push(another);
    return another;
  }

  private searchingReader(): Reader {
    if (this.readers.length === 0) {
      throw new StorageError("closed", this.path, "the chat is not open");
    }
    this.searcher ??= this.openReader();
    return this.searcher;
  }

  private get allReaders(): readonly Reader[] {
    return this.searcher === undefined ? this.readers : [...this.readers, this.searcher];
  }

  private openReader(): Reader {
    const reader = this.startReader();
    this.guarded(reader.link.call({ kind: "open", path: this.path })).catch(() => {
      // The read that follows on the same thread is rejected with the same error.
    });
    return reader;
  }

  /** One broken thread breaks the store. */
  private async guarded(call: Promise<unknown>): Promise<unknown> {
    if (this.failure !== undefined) {
      call.catch(() => {});
      throw this.failure;
    }
    try {
      return await call;
    } catch (cause) {
      const error = StorageError.from(cause, this.path, "using the chat file");
      if (error.kind !== "invalid") this.failure ??= error;
      throw error;
    }
  }

  private noteDurable(index: number): void {
    if (index <= this.durable) return;
    this.durable = index;
    this.options.owner.noteDurableApplied(index).catch(() => {
      // The log's own failure stops the node; this is only a note to it.
    });
  }
}
