// A virtual disk with a node's chat files: the real chat state machine on SQLite in memory, and what the machine's disk
// would still have of it after a crash. Applying is durable only at checkpoints (`durable_applied`); a
// process that dies may find its file as of any batch between the last checkpoint and the last one
// applied, because the file is written without a sync for each transaction.
import { createHash } from "node:crypto";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import {
  type AppliedBatch,
  type ChatAnswer,
  ChatMachine,
  type ChatQuery,
  ChatReader,
  type CommittedEntry,
  versionNeeded,
} from "@parley/chat";
import { mentionsAccount } from "@parley/client";
import type {
  ApplyRequest,
  ChatStore,
  ChatStoreState,
  CopyHead,
  InstalledCopy,
  Membership,
} from "@parley/node";
import {
  type Attachment,
  Command,
  type Message,
  type Reaction,
  type ThreadSummary,
  UnreadResponse,
} from "@parley/protocol";
import type { HardState } from "@parley/raft";
import { decodeConfState, encodeConfState } from "@parley/store";
import { unreadText } from "../checkers/unread-counts.ts";
import type { FinalFile, FinalUnread, Wanted } from "../observer.ts";
import { CopyDisk, type VirtualCopies } from "./copy-disk.ts";
import { Crash, CrashingDatabase } from "./crashing-database.ts";
import type { LogDisk, VirtualLogStore } from "./log-disk.ts";
import type { Prng } from "./prng.ts";
import type { VirtualProcess } from "./process.ts";
import type { Scheduler } from "./scheduler.ts";

export interface ChatDiskOptions {
  readonly applyUsMean: number;
  readonly readUsMean: number;
  /** Entries applied between two checkpoints. */
  readonly checkpointEntries: number;
  /** How fast copies are made and verified. */
  readonly copyBytesPerSecond: number;
}

export interface ChatDiskObserver {
  /** A batch was applied; `hash` is the state's hash after it, `replayed` after a crash. */
  onApplied(batch: AppliedBatch, entries: readonly CommittedEntry[], hash: string): void;
  /** The membership that was stored with the entry at that index. */
  onMembership(index: number, membership: Membership): void;
  /** A process found its file as of this index, and had it as of that one before. */
  onReopened(appliedIndex: number, before: number): void;
  /** A copy took the place of the file. */
  onInstalled(appliedIndex: number, hash: string): void;
}

interface Image {
  readonly index: number;
  readonly bytes: Uint8Array;
}

/**
 * One generation of the chat file, as the disk has it: what it was once, and what has been applied to it. Taking an image
 * costs more than applying a few entries again, so a checkpoint only says how many batches are durable.
 */
interface ChatFile {
  image: Image;
  /** The batches since the image … */
  since: ApplyRequest[];
  /** … of which the first so many are in the checkpoint. */
  durable: number;
  /** The database of the process that died last: all that was applied, as it was written. */
  left: DatabaseSync | undefined;
}

/** Batches that are kept until a checkpoint takes an image. */
const BATCHES_PER_IMAGE = 100;
const RAISE_BYTES_MAX = 20;
/** The full-text index is brought forward at revisions that this divides: it is behind by any number of them. */
const INDEX_EVERY = 16;

let emptyBytes: Uint8Array | undefined;

/**
 * A new file, which a program has only just made. Making its tables takes as long as applying a hundred entries, and each
 * restart of a node without an image begins with it, so one serves them all.
 */
function emptyImage(): Image {
  if (emptyBytes === undefined) {
    const db = new DatabaseSync(":memory:");
    ChatMachine.open(db);
    emptyBytes = db.serialize();
    db.close();
  }
  return { index: 0, bytes: emptyBytes };
}

export class ChatDisk {
  readonly #scheduler: Scheduler;
  readonly #random: Prng;
  readonly #options: ChatDiskOptions;
  readonly #observer: ChatDiskObserver;
  readonly #log: LogDisk;
  readonly copyDisk: CopyDisk;
  readonly #files = new Map<number, ChatFile>();
  #stalledUntilUs = 0;
  #current: VirtualChatStore | undefined;

  constructor(
    scheduler: Scheduler,
    random: Prng,
    options: ChatDiskOptions,
    log: LogDisk,
    observer: ChatDiskObserver,
  ) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#options = options;
    this.#observer = observer;
    this.#log = log;
    this.copyDisk = new CopyDisk(scheduler, random.branch("copies"), {
      bytesPerSecond: options.copyBytesPerSecond,
      freeBytes: () => log.freeBytes(),
      source: () => this.#current?.db,
    });
  }

  /** The chat store of one process, whose program knows state versions up to `stateVersion`. */
  openFor(process: VirtualProcess, log: VirtualLogStore, stateVersion: number): ChatStore {
    const copies = this.copyDisk.openFor(process);
    const store = new VirtualChatStore(this, process, log, copies, stateVersion);
    process.onDeath(() => store.die());
    this.#current = store;
    return store;
  }

  /** Everything on it is gone. */
  wipe(): void {
    this.#forget(() => true);
    this.copyDisk.wipe();
    this.#current = undefined;
  }

  /** The database of the process that runs now, for the final checks. */
  get machine(): ChatMachine | undefined {
    return this.#current?.machine;
  }

  /** All messages by room, in the order of their numbers, straight from the table. */
  messages(): Map<number, Message[]> {
    const rooms = new Map<number, Message[]>();
    const reactions = this.#reactions();
    const mentioned = this.#mentions();
    const threads = this.#threads();
    const files = this.#attachments();
    const rows = this.#current?.db
      ?.prepare(
        `SELECT id, room_id, seq, author_id, client_message_id, body, sent_at_ms, reply_to_seq, deleted,
         version, edited_at_ms, pinned_revision, thread_root_seq FROM messages ORDER BY room_id, seq`,
      )
      .all();
    for (const row of rows ?? []) {
      const message: Message = {
        id: Number(row.id),
        roomId: Number(row.room_id),
        seq: Number(row.seq),
        authorId: Number(row.author_id),
        clientMessageId: String(row.client_message_id),
        body: String(row.body),
        sentAtMs: Number(row.sent_at_ms),
        replyToSeq: Number(row.reply_to_seq),
        deleted: Number(row.deleted) !== 0,
        version: Number(row.version),
        editedAtMs: Number(row.edited_at_ms),
        pinned: Number(row.pinned_revision) !== 0,
        mentions: mentioned.get(Number(row.id))?.filter((id) => id !== 0) ?? [],
        mentionsRoom: mentioned.get(Number(row.id))?.includes(0) ?? false,
        reactions: reactions.get(Number(row.id)) ?? [],
        threadRootSeq: Number(row.thread_root_seq),
        thread: threads.get(`${row.room_id}:${row.seq}`),
        attachments: files.get(Number(row.id)) ?? [],
        // Not the message's own: the first follows the account, the second its changes.
        author: "",
        revision: 0,
      };
      const room = rooms.get(message.roomId);
      if (room === undefined) rooms.set(message.roomId, [message]);
      else room.push(message);
    }
    return rooms;
  }

  /** Files of messages, from their pieces. */
  files(): Map<number, FinalFile> {
    const files = new Map<number, FinalFile>();
    const db = this.#current?.db;
    const pieces = db?.prepare("SELECT data FROM file_chunks WHERE file_id = ? ORDER BY at");
    const rows = db
      ?.prepare("SELECT id, sha256 FROM files WHERE message_id > 0 AND dropped = 0")
      .all();
    for (const row of rows ?? []) {
      const hash = createHash("sha256");
      for (const { data } of pieces?.all(Number(row.id)) ?? []) hash.update(data as Uint8Array);
      files.set(Number(row.id), { sha256: row.sha256 as Uint8Array, actual: hash.digest() });
    }
    return files;
  }

  /** By message, from the files and not from what the message's row says of them. */
  #attachments(): Map<number, Attachment[]> {
    const messages = new Map<number, Attachment[]>();
    const rows = this.#current?.db
      ?.prepare(
        "SELECT id, name, size, sha256, message_id, ifnull(length(preview), 0) AS preview_size FROM files WHERE message_id > 0 AND dropped = 0 ORDER BY id",
      )
      .all();
    for (const row of rows ?? []) {
      const { name, sha256 } = row as { name: string; sha256: Uint8Array };
      const [fileId, size, previewSize] = [row.id, row.size, row.preview_size].map(Number) as [
        number,
        number,
        number,
      ];
      const file: Attachment = { fileId, name, size, sha256, previewSize };
      const messageId = Number(row.message_id);
      messages.set(messageId, [...(messages.get(messageId) ?? []), file]);
    }
    return messages;
  }

  /** By message, from who gave what and not from what the message's row says of it. */
  #reactions(): Map<number, Reaction[]> {
    const messages = new Map<number, Reaction[]>();
    const rows = this.#current?.db
      ?.prepare("SELECT message_id, emoji, account_id FROM reactions ORDER BY id")
      .all();
    for (const row of rows ?? []) {
      const reactions = messages.get(Number(row.message_id)) ?? [];
      messages.set(Number(row.message_id), reactions);
      const emoji = String(row.emoji);
      let reaction = reactions.find((one) => one.emoji === emoji);
      if (reaction === undefined) {
        reaction = { emoji, count: 0, accountIds: [] };
        reactions.push(reaction);
      }
      reaction.count += 1;
      reaction.accountIds.push(Number(row.account_id));
    }
    return messages;
  }

  /** What is said of the replies to a message, by room and number, from the replies and not from what the message's row says of them. */
  #threads(): Map<string, ThreadSummary> {
    const threads = new Map<string, ThreadSummary>();
    const rows = this.#current?.db
      ?.prepare(
        `SELECT room_id, thread_root_seq, seq, author_id, sent_at_ms, deleted FROM messages
         WHERE thread_root_seq > 0 ORDER BY room_id, seq`,
      )
      .all();
    for (const row of rows ?? []) {
      const key = `${row.room_id}:${row.thread_root_seq}`;
      let thread = threads.get(key);
      if (thread === undefined) {
        thread = { replyCount: 0, lastReplySeq: 0, lastReplyAtMs: 0, participantIds: [] };
        threads.set(key, thread);
      }
      const { participantIds } = thread;
      const authorId = Number(row.author_id);
      const isShown = participantIds.includes(authorId) || participantIds.length >= 3;
      if (!isShown) participantIds.push(authorId);
      if (Number(row.deleted) !== 0) continue;
      thread.replyCount += 1;
      thread.lastReplySeq = Number(row.seq);
      thread.lastReplyAtMs = Number(row.sent_at_ms);
    }
    return threads;
  }

  /** Whom each message mentions, 0 for everybody, from what is counted and not from what the message's row says. */
  #mentions(): Map<number, number[]> {
    const messages = new Map<number, number[]>();
    const rows = this.#current?.db?.prepare("SELECT message_id, account_id FROM mentions").all();
    for (const row of rows ?? []) {
      const accounts = messages.get(Number(row.message_id)) ?? [];
      accounts.push(Number(row.account_id));
      messages.set(Number(row.message_id), accounts);
    }
    return messages;
  }

  /** The rooms of each account, and what it wants of them, straight from the tables. */
  memberships(): Map<number, Map<number, Wanted>> {
    const accounts = new Map<number, Map<number, Wanted>>();
    const rows = this.#current?.db
      ?.prepare(
        `SELECT members.account_id, members.room_id, members.starred, members.muted FROM members JOIN rooms ON rooms.id = members.room_id
         WHERE members.role > 0 AND rooms.deleted = 0`,
      )
      .all();
    for (const row of rows ?? []) {
      const accountId = Number(row.account_id);
      const rooms = accounts.get(accountId) ?? new Map<number, Wanted>();
      accounts.set(accountId, rooms);
      const wanted = { starred: Number(row.starred) !== 0, muted: Number(row.muted) !== 0 };
      rooms.set(Number(row.room_id), wanted);
    }
    return accounts;
  }

  /** What is unread, of each account in each of its rooms: gone through `rooms` message by message, and as the reader says. */
  unread(rooms: ReadonlyMap<number, readonly Message[]>): Map<number, Map<number, FinalUnread>> {
    const accounts = new Map<number, Map<number, FinalUnread>>();
    const { db, reader } = this.#current ?? {};
    if (db === undefined || reader === undefined) return accounts;
    const members = db
      .prepare(
        `SELECT m.account_id, m.room_id, m.read_seq, m.joined_revision FROM members m
         JOIN rooms r ON r.id = m.room_id JOIN accounts a ON a.id = m.account_id
         WHERE m.role > 0 AND r.deleted = 0 AND a.deleted = 0`,
      )
      .all();
    const follows = db.prepare(
      `SELECT thread_root_seq, read_seq FROM follows
       WHERE account_id = ? AND room_id = ? AND following = 1 AND changed_revision > ?`,
    );
    for (const member of members) {
      const accountId = Number(member.account_id);
      const roomId = Number(member.room_id);
      const readTo = new Map([[0, Number(member.read_seq)]]);
      for (const row of follows.all(accountId, roomId, Number(member.joined_revision))) {
        readTo.set(Number(row.thread_root_seq), Number(row.read_seq));
      }
      const unread = (rooms.get(roomId) ?? []).filter(
        ({ seq, authorId, deleted, threadRootSeq }) =>
          !deleted && authorId !== accountId && seq > (readTo.get(threadRootSeq) ?? seq),
      );
      const mentions = unread.filter((message) => mentionsAccount(message, accountId));
      let own = accounts.get(accountId);
      if (own === undefined) {
        own = new Map();
        accounts.set(accountId, own);
      }
      const counted = unreadText(unread.length, mentions.length);
      own.set(roomId, { counted, told: "nothing" });
    }
    for (const [accountId, own] of accounts) {
      const answer = reader.read({ kind: "unread", accountId });
      if (answer.kind !== "response") continue;
      for (const room of UnreadResponse.decode(answer.response).rooms) {
        const counted = own.get(room.roomId)?.counted ?? "none such room";
        const told = unreadText(room.unreadCount, room.mentionCount);
        own.set(room.roomId, { counted, told });
      }
    }
    return accounts;
  }

  /** Nothing is applied or read for this long. */
  stall(durationUs: number): void {
    this.#stalledUntilUs = Math.max(this.#stalledUntilUs, this.#scheduler.nowUs + durationUs);
  }

  // ---- For the store ---------------------------------------------------------------------------

  /** The file as a new process finds it; those of other generations go. */
  reopen(): DatabaseSync {
    this.#forgetOthers();
    const file = this.#file;
    const { durable } = file;
    const since = file.since.length - durable;
    // A crash at a random moment: often nothing is lost, sometimes everything since the checkpoint.
    const kept = durable + (this.#random.chance(0.4) ? since : this.#random.int(since + 1));
    const lastIndex = lastIndexOf(file.since) ?? file.image.index;
    const next = file.since[kept];
    const db = next === undefined ? leftBehind(file) : rolledBack(file, kept);
    if (next !== undefined && this.#random.chance(0.3) && diedWithin(db, next)) {
      file.since.push(next);
    }
    this.#observer.onReopened(lastIndexOf(file.since) ?? file.image.index, lastIndex);
    return db;
  }

  /** The file was damaged while the node was down; it is put aside when that is found. */
  damage(): void {
    this.#forget(() => true);
  }

  /** A process has died, or ends with the world, and leaves a file of this generation. */
  leave(generation: number, db: DatabaseSync): void {
    const file = this.#files.get(generation);
    if (file === undefined) {
      db.close();
      return;
    }
    file.left?.close();
    file.left = db;
  }

  /** The world ends. */
  close(): void {
    this.#forget(() => true);
  }

  #forgetOthers(): void {
    this.#forget((generation) => generation !== this.#log.generation);
  }

  #forget(isGone: (generation: number) => boolean): void {
    for (const [generation, file] of [...this.#files]) {
      if (!isGone(generation)) continue;
      file.left?.close();
      this.#files.delete(generation);
    }
  }

  /** A complete copy stands beside the current file; nothing refers to it yet. */
  prepare(index: number, bytes: Uint8Array): number {
    const generation = this.#log.generation + 1;
    this.#files.set(generation, fileOf({ index, bytes }));
    return generation;
  }

  /** What has become the current file. */
  installed(): DatabaseSync {
    const { image } = this.#file;
    const db = databaseOf(image.bytes);
    const hash = ChatMachine.open(db).stateHash(0)?.hash ?? "";
    this.#observer.onInstalled(image.index, hash);
    this.#forgetOthers();
    return db;
  }

  /** Of the current file. */
  get generation(): number {
    return this.#log.generation;
  }

  get durableApplied(): number {
    const { image, since, durable } = this.#file;
    return since[durable - 1]?.entries.at(-1)?.index ?? image.index;
  }

  get #file(): ChatFile {
    const { generation } = this.#log;
    let file = this.#files.get(generation);
    if (file === undefined) {
      file = fileOf(emptyImage());
      this.#files.set(generation, file);
    }
    return file;
  }

  applied(store: VirtualChatStore, request: ApplyRequest, batch: AppliedBatch): void {
    const machine = store.machine;
    const db = store.db;
    if (machine === undefined || db === undefined) return;
    const file = this.#file;
    file.since.push(request);
    const hash = machine.stateHash(batch.appliedIndex)?.hash ?? "";
    this.#observer.onApplied(batch, request.entries, hash);
    if (request.confState !== undefined) {
      this.#observer.onMembership(batch.appliedIndex, request.confState);
    }
    if (batch.appliedIndex % INDEX_EVERY === 0) machine.index();
    if (batch.appliedIndex - this.durableApplied > this.#options.checkpointEntries) {
      this.checkpoint(store);
    }
  }

  checkpoint(store: VirtualChatStore): number {
    const file = this.#file;
    const { db, machine } = store;
    if (db === undefined || machine === undefined) return this.durableApplied;
    if (file.since.length >= BATCHES_PER_IMAGE) {
      file.image = { index: machine.appliedIndex, bytes: db.serialize() };
      file.since = [];
    }
    file.durable = file.since.length;
    return this.durableApplied;
  }

  applyDelayUs(entries: number): number {
    return this.#stallUs() + this.#random.exponential(this.#options.applyUsMean) + 10 * entries;
  }

  readDelayUs(): number {
    return this.#stallUs() + this.#random.exponential(this.#options.readUsMean);
  }

  after(delayUs: number, process: VirtualProcess, action: () => void): void {
    this.#scheduler.after(delayUs, () => process.deliver(action));
  }

  #stallUs(): number {
    return Math.max(0, this.#stalledUntilUs - this.#scheduler.nowUs);
  }
}

function fileOf(image: Image): ChatFile {
  return { image, since: [], durable: 0, left: undefined };
}

function databaseOf(bytes: Uint8Array): DatabaseSync {
  const db = new DatabaseSync(":memory:");
  db.deserialize(bytes);
  return db;
}

/** The file with all that was ever applied to it: just what the last process left, if it left it like that. */
function leftBehind(file: ChatFile): DatabaseSync {
  const { left } = file;
  const lastIndex = lastIndexOf(file.since) ?? file.image.index;
  // A process that stopped in the middle of a batch has applied what nobody was told of.
  if (left === undefined || appliedIndexOf(left) !== lastIndex) {
    return rolledBack(file, file.since.length);
  }
  file.left = undefined;
  return left;
}

/** The file as it was after the first `kept` batches since its image; the others are gone. */
function rolledBack(file: ChatFile, kept: number): DatabaseSync {
  file.left?.close();
  file.left = undefined;
  const { since, durable } = file;
  const db = databaseOf(file.image.bytes);
  if (kept > 0) {
    const machine = ChatMachine.open(db);
    for (const request of since.slice(0, durable)) apply(machine, request);
    // Nothing can undo these any more, so no further crash needs to apply them again.
    if (durable > 0) file.image = { index: machine.appliedIndex, bytes: db.serialize() };
    for (const request of since.slice(durable, kept)) apply(machine, request);
  }
  file.since = since.slice(durable, kept);
  file.durable = 0;
  return db;
}

function appliedIndexOf(db: DatabaseSync): number {
  return Number(db.prepare("SELECT applied_index AS i FROM meta").get()?.i);
}

/** Asks for the bytes of the file that the database would be. */
const SIZE = "SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()";

function lastIndexOf(requests: readonly ApplyRequest[]): number | undefined {
  return requests.at(-1)?.entries.at(-1)?.index;
}

/** The process dies after the first transaction of a batch. Returns whether that was all of it. */
function diedWithin(db: DatabaseSync, request: ApplyRequest): boolean {
  try {
    apply(ChatMachine.open(new CrashingDatabase(db)), request);
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
  }
  return appliedIndexOf(db) >= (request.entries.at(-1)?.index ?? 0);
}

function apply(machine: ChatMachine, request: ApplyRequest): AppliedBatch {
  const confState =
    request.confState === undefined ? undefined : encodeConfState(request.confState);
  return machine.apply(request.entries, confState);
}

/** What an entry raises the state version to; 0 = it does not. */
function raisedTo(command: Uint8Array): number {
  // Decoding every entry again would be felt; only the leader's own command is as short.
  if (command.length === 0 || command.length > RAISE_BYTES_MAX) return 0;
  const { op } = Command.decode(command);
  return op?.$case === "raiseStateVersion" ? op.value.stateVersion : 0;
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the chat file is not open");
  return value;
}

/** The port, for one process. */
class VirtualChatStore implements ChatStore {
  readonly #disk: ChatDisk;
  readonly #process: VirtualProcess;
  readonly #log: VirtualLogStore;
  readonly copies: VirtualCopies;
  readonly #stateVersion: number;
  db: DatabaseSync | undefined;
  machine: ChatMachine | undefined;
  reader: ChatReader | undefined;
  #size: StatementSync | undefined;
  #bytes = 0;
  /** The applied index that `#bytes` is as of. */
  #measuredAt = -1;
  /** Of the open file. */
  #generation = 0;
  readonly #queue: {
    readonly request: ApplyRequest;
    readonly resolve: (batch: AppliedBatch) => void;
    readonly reject: (error: unknown) => void;
  }[] = [];
  #applying = false;

  constructor(
    disk: ChatDisk,
    process: VirtualProcess,
    log: VirtualLogStore,
    copies: VirtualCopies,
    stateVersion: number,
  ) {
    this.#stateVersion = stateVersion;
    this.#disk = disk;
    this.#process = process;
    this.#log = log;
    this.copies = copies;
  }

  open(initial: Membership | undefined, logBeginsAfter = 0): Promise<ChatStoreState> {
    return this.#later(() => {
      const state = this.#openOn(this.#disk.reopen());
      const isNew = state.admission.appliedIndex === logBeginsAfter;
      if (state.confState !== undefined || initial === undefined || !isNew) return state;
      // In a transaction of its own, as the first thing in a new file.
      const request: ApplyRequest = { entries: [], confState: initial };
      const batch = apply(present(this.machine), request);
      this.#disk.applied(this, request, batch);
      return { ...state, confState: initial };
    });
  }

  async install(head: CopyHead, hardState: HardState | undefined): Promise<InstalledCopy> {
    const { index, term } = head;
    const generation = await this.#later(() => this.#disk.prepare(index, this.copies.take(head)));
    this.#disk.copyDisk.installing();
    const log = await this.#log.install({ generation, position: { index, term }, hardState });
    return await this.#later(() => ({ log, chat: this.#openOn(this.#disk.installed()) }));
  }

  #openOn(db: DatabaseSync): ChatStoreState {
    this.db?.close();
    this.db = db;
    this.#generation = this.#disk.generation;
    this.machine = ChatMachine.open(db);
    this.reader = new ChatReader(db);
    this.#size = db.prepare(SIZE);
    this.#measuredAt = -1;
    const stored = this.machine.confState();
    return {
      admission: this.machine.admissionSnapshot(),
      confState: stored === undefined ? undefined : decodeConfState(stored),
    };
  }

  checkpoint(): Promise<number> {
    return this.#later(() => this.#disk.checkpoint(this));
  }

  get durableApplied(): number {
    return this.#disk.durableApplied;
  }

  sizeBytes(): Promise<number> {
    return this.#later(() => {
      // Asked for often, and it changes with what is applied alone.
      const { appliedIndex = -1 } = this.machine ?? {};
      if (appliedIndex !== this.#measuredAt) {
        this.#measuredAt = appliedIndex;
        this.#bytes = Number(this.#size?.get()?.bytes ?? 0);
      }
      return this.#bytes;
    });
  }

  apply(request: ApplyRequest): Promise<AppliedBatch> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ request, resolve, reject });
      if (!this.#applying) this.#applyNext();
    });
  }

  read(query: ChatQuery): Promise<ChatAnswer> {
    return this.#later(() => {
      if (this.reader === undefined) throw new Error("the chat file is not open");
      return this.reader.read(query);
    });
  }

  stateHash(
    atIndex: number,
  ): Promise<{ readonly appliedIndex: number; readonly hash: string } | undefined> {
    return this.#later(() => this.machine?.stateHash(atIndex));
  }

  async close(): Promise<void> {}

  /** The process is gone; its file stays behind. */
  die(): void {
    if (this.db !== undefined) this.#disk.leave(this.#generation, this.db);
    this.db = undefined;
    this.#size = undefined;
    this.machine = undefined;
    this.reader = undefined;
  }

  /** An older program stops at what it does not know, as ChatMachine does. */
  #assertKnown({ entries }: ApplyRequest): void {
    for (const { index, command } of entries) {
      const version = Math.max(versionNeeded(command), raisedTo(command));
      if (version <= this.#stateVersion) continue;
      throw new Error(
        `entry ${index} needs state version ${version}, the program is too old for it`,
      );
    }
  }

  #applyNext(): void {
    const next = this.#queue.shift();
    if (next === undefined || !this.#process.alive) return;
    this.#applying = true;
    this.#disk.after(this.#disk.applyDelayUs(next.request.entries.length), this.#process, () => {
      try {
        if (this.machine === undefined) throw new Error("the chat file is not open");
        const batch = apply(this.machine, next.request);
        this.#assertKnown(next.request);
        this.#disk.applied(this, next.request, batch);
        next.resolve(batch);
      } catch (error) {
        next.reject(error);
      }
      this.#applying = false;
      this.#applyNext();
    });
  }

  #later<T>(compute: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.#process.alive) return;
      this.#disk.after(this.#disk.readDelayUs(), this.#process, () => {
        try {
          resolve(compute());
        } catch (error) {
          reject(error);
        }
      });
    });
  }
}
