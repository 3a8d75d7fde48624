/**
 * A cluster in one process: members with storage in memory, their storage threads, and the messages
 * between them, all moved only by the commands of a scenario.
 *
 * The replicated application appends the data of all entries. Its states are kept (`history`), so the
 * newest one can be sent as a snapshot and any one that is stored can be restarted from.
 */
import type {
  Entry,
  HardState,
  Index,
  Message,
  NodeId,
  RaftConfig,
  Snapshot,
  Unavailable,
} from "../src/index.ts";
import {
  decodeConfChange,
  EMPTY_SNAPSHOT,
  isEmptyHardState,
  isLocalThread,
  MemoryStorage,
  NO_LIMIT,
  RawNode,
} from "../src/index.ts";
import { describeEntries, describeMessage, describeReady } from "./notation.ts";
import { Output } from "./output.ts";

/** What a scenario asks for can't be done; it becomes the command's output. */
export class ScenarioError extends Error {
  override readonly name = "ScenarioError";
}

/** Whose messages to handle. */
export interface Recipient {
  readonly id: NodeId;
  readonly drop: boolean;
}

const utf8 = new TextEncoder();
const AS_OF = "membership as of ";

/** As of when the membership of a witness's snapshot is; 0 for others. */
function membershipIndex({ data }: Snapshot): Index {
  const text = new TextDecoder().decode(data);
  return text.startsWith(AS_OF) ? Number.parseInt(text.slice(AS_OF.length), 10) : 0;
}

/** Rounds of `stabilize` before a scenario counts as endless. */
const ROUNDS_MAX = 10_000;

class ScenarioStorage extends MemoryStorage {
  /** Every state of the application, oldest first. */
  history: Snapshot[] = [EMPTY_SNAPSHOT];

  latest(): Snapshot {
    return this.history[this.history.length - 1] ?? EMPTY_SNAPSHOT;
  }

  /**
   * A witness gets one without a state, which the log must continue. It has to be in the membership that it gets, so that
   * is the newest one, and the data says as of when.
   */
  override snapshot(_to: NodeId, indexMax: Index): Snapshot | Unavailable {
    if (indexMax === NO_LIMIT) return this.latest();
    const found = this.history.findLast(({ index }) => index <= indexMax);
    if (found === undefined || found.index + 1 < this.firstIndex()) return "unavailable";
    const { index, confState } = this.latest();
    return { ...found, confState, data: utf8.encode(`${AS_OF}${index}`) };
  }
}

export class Member {
  readonly id: NodeId;
  readonly config: RaftConfig;
  readonly storage: ScenarioStorage;
  /** Null after a crash. */
  #node: RawNode | null;
  appendWork: Message[] = [];
  applyWork: Message[] = [];

  constructor(config: RaftConfig, storage: ScenarioStorage) {
    this.id = config.id;
    this.config = config;
    this.storage = storage;
    this.#node = new RawNode(config);
  }

  get up(): boolean {
    return this.#node !== null;
  }

  get node(): RawNode {
    if (this.#node === null) throw new ScenarioError(`${this.id} is down`);
    return this.#node;
  }

  crash(): void {
    this.#node = null;
    this.appendWork = [];
    this.applyWork = [];
  }

  restart(applied: number): void {
    if (this.#node !== null) throw new ScenarioError(`${this.id} is running`);
    const { history } = this.storage;
    this.storage.history = history.filter(({ index }) => index <= applied);
    this.storage.setConfState(this.storage.latest().confState);
    this.#node = new RawNode({ ...this.config, applied });
  }

  /** Makes durable what a Ready or a MsgStorageAppend holds. */
  store(state: HardState | null, entries: readonly Entry[], snapshot: Snapshot | null): void {
    if (state !== null && !isEmptyHardState(state)) this.storage.setHardState(state);
    if (snapshot !== null) {
      this.storage.applySnapshot(snapshot);
      this.storage.history.push(snapshot);
    }
    this.storage.append(entries);
  }

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const last = this.storage.latest();
      // A snapshot that was installed meanwhile holds this entry already.
      if (entry.index <= last.index) continue;
      let { confState } = last;
      let update = entry.data;
      if (entry.type !== "EntryNormal" && entry.index > membershipIndex(last)) {
        const decoded = decodeConfChange(entry.data);
        if (!decoded.ok) throw new ScenarioError(decoded.detail);
        confState = this.node.applyConfChange(decoded.change);
        update = decoded.change.context;
      }
      const data = new Uint8Array(last.data.length + update.length);
      data.set(last.data);
      data.set(update, last.data.length);
      this.storage.history.push({ index: entry.index, term: entry.term, confState, data });
    }
  }
}

export class Environment {
  readonly output = new Output();
  readonly members: Member[] = [];
  /** In flight, in the order in which they were sent. */
  messages: Message[] = [];

  member(id: NodeId): Member {
    const member = this.members[id - 1];
    if (member === undefined) throw new ScenarioError(`no node ${id}`);
    return member;
  }

  /** Adds members with the next ids that start from `snapshot`, or from nothing. */
  addMembers(count: number, config: Omit<RaftConfig, "id" | "storage">, snapshot: Snapshot): void {
    const { voters, learners } = snapshot.confState;
    const empty = snapshot.index + voters.length + learners.length + snapshot.data.length === 0;
    if (!empty && snapshot.index <= 1) {
      throw new ScenarioError("index must be specified as > 1 due to bootstrap");
    }
    for (let i = 0; i < count; i++) {
      const storage = new ScenarioStorage();
      if (!empty) {
        const start = { ...snapshot, term: 1 };
        storage.applySnapshot(start);
        storage.history = [start];
      }
      const id = this.members.length + 1;
      this.members.push(
        new Member({ ...config, id, storage, logger: this.output.logger }, storage),
      );
    }
  }

  processReady(member: Member): void {
    const { node } = member;
    const ready = node.ready();
    this.output.write(describeReady(ready));
    if (member.config.asyncStorageWrites !== true) {
      member.store(ready.hardState, ready.entries, ready.snapshot);
      member.apply(ready.committedEntries);
    }
    for (const message of ready.messages) {
      if (message.type === "MsgStorageAppend") member.appendWork.push(message);
      else if (message.type === "MsgStorageApply") member.applyWork.push(message);
      else this.messages.push(message);
    }
    if (member.config.asyncStorageWrites !== true) node.advance();
  }

  processAppendThread(member: Member): void {
    const message = member.appendWork.shift();
    if (message === undefined) {
      this.output.write("no append work to perform");
      return;
    }
    this.#beginWork(message);
    const { term, vote, commit } = message;
    member.store({ term, vote, commit }, message.entries, message.snapshot);
    this.#endWork(message);
  }

  processApplyThread(member: Member): void {
    const message = member.applyWork.shift();
    if (message === undefined) {
      this.output.write("no apply work to perform");
      return;
    }
    this.#beginWork(message);
    member.apply(message.entries);
    this.#endWork(message);
  }

  #beginWork(message: Message): void {
    this.output.write(`Processing:\n${describeMessage({ ...message, responses: [] })}\n`);
  }

  #endWork(message: Message): void {
    this.output.write("Responses:\n");
    for (const response of message.responses) {
      this.output.write(`${describeMessage(response)}\n`);
      this.messages.push(response);
    }
  }

  /** Messages to `to`. Storage threads and a member's messages to itself can't be dropped by the network. */
  messagesTo(to: NodeId, type: string | null, drop: boolean): Message[] {
    return this.messages.filter(
      (m) => m.to === to && (type === null || m.type === type) && !(drop && isLocal(m)),
    );
  }

  /** Delivers or drops what is in flight; returns how many messages that were. */
  deliver(type: string | null, recipients: readonly Recipient[]): number {
    let count = 0;
    for (const { id, drop } of recipients) {
      const handled = new Set(this.messagesTo(id, type, drop));
      this.messages = this.messages.filter((m) => !handled.has(m));
      count += handled.size;
      for (const message of handled) this.#handle(message, drop);
    }
    return count;
  }

  #handle(message: Message, drop: boolean): void {
    const target = drop ? undefined : this.member(message.to);
    const down = target !== undefined && !target.up;
    const prefix = drop ? "dropped: " : down ? "lost: " : "";
    this.output.write(`${prefix}${describeMessage(message)}\n`);
    if (target === undefined || down) return;
    const result = target.node.step(message);
    if (!result.ok) this.output.write(`${STEP_ERRORS[result.reason]}\n`);
  }

  /** Readys, deliveries and storage work in turn, until there is nothing to do among these members. */
  stabilize(members: readonly Member[]): void {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const passes = [
        this.#pass(members, "handling Ready", (m) => m.node.hasReady(), this.#ready),
        this.#pass(
          members,
          "receiving messages",
          (m) => this.messagesTo(m.id, null, false).length > 0,
          this.#receive,
        ),
        this.#pass(
          members,
          "processing append thread",
          (m) => m.appendWork.length > 0,
          this.#append,
        ),
        this.#pass(members, "processing apply thread", (m) => m.applyWork.length > 0, this.#apply),
      ];
      if (!passes.includes(true)) return;
    }
    throw new ScenarioError(`not stable after ${ROUNDS_MAX} rounds`);
  }

  readonly #ready = (member: Member): void => this.processReady(member);
  readonly #receive = (member: Member): void => {
    this.deliver(null, [{ id: member.id, drop: false }]);
  };
  readonly #append = (member: Member): void => {
    while (member.appendWork.length > 0) this.processAppendThread(member);
  };
  readonly #apply = (member: Member): void => {
    while (member.applyWork.length > 0) this.processApplyThread(member);
  };

  #pass(
    members: readonly Member[],
    what: string,
    has: (member: Member) => boolean,
    work: (member: Member) => void,
  ): boolean {
    let any = false;
    for (const member of members) {
      if (!member.up || !has(member)) continue;
      any = true;
      this.output.write(`> ${member.id} ${what}\n`);
      this.output.indented(() => work(member));
    }
    return any;
  }

  /** The process dies: what isn't stored is gone, with whatever its storage threads had still to do. */
  crash(member: Member): void {
    for (const message of [...member.appendWork, ...member.applyWork]) {
      this.output.write(`lost: ${describeMessage({ ...message, responses: [] })}\n`);
    }
    if (!member.up) throw new ScenarioError(`${member.id} is down`);
    member.crash();
    this.messages = this.messages.filter((m) => m.to !== member.id || !isLocal(m));
  }

  printLog(member: Member): void {
    const { storage } = member;
    const first = storage.firstIndex();
    const last = storage.lastIndex();
    if (last < first) {
      this.output.write(`log is empty: first index=${first}, last index=${last}`);
      return;
    }
    const entries = storage.entries(first, last + 1, Number.MAX_SAFE_INTEGER);
    this.output.write(typeof entries === "string" ? entries : describeEntries(entries));
  }
}

function isLocal({ from, to }: Message): boolean {
  return from === to || isLocalThread(from) || isLocalThread(to);
}

const STEP_ERRORS = {
  "local-message": "raft: cannot step raft local message",
  "peer-not-found": "raft: cannot step as peer not found",
  "proposal-dropped": "raft proposal dropped",
} as const;
