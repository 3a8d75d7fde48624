/**
 * A cluster for tests, in which every step is the test's choice: which message arrives, which write ends,
 * who crashes. After each step it checks what must always hold:
 *
 * - Election Safety (paper, 5.2): one leader a term.
 * - State Machine Safety (5.4.3): no two members apply different entries at the same index, and each applies all
 *   of them in order.
 * - What is stored does not go back: terms rise, a vote stays in its term.
 * - Linearizable reads (thesis, 6.4): a read index is at least what was committed anywhere when it was asked for.
 */
import type {
  ConfState,
  Entry,
  HardState,
  Index,
  Message,
  NodeId,
  RaftConfig,
  Snapshot,
  Term,
} from "../src/index.ts";
import { decodeConfChange, isLocalThread, MemoryStorage, NO_BYTES, RawNode } from "../src/index.ts";

/** An invariant does not hold: a bug in the core. */
export class Broken extends Error {
  override readonly name = "Broken";
}

function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Broken(what);
}

/** The application's state is the index that it has applied; what was applied is compared entry by entry. */
interface AppState {
  readonly index: Index;
  readonly term: Term;
  readonly confState: ConfState;
}

class WorldStorage extends MemoryStorage {
  state: AppState;

  constructor(state: AppState) {
    super();
    this.state = state;
  }

  override snapshot(): Snapshot | "unavailable" {
    return this.state.index === 0 ? "unavailable" : { ...this.state, data: NO_BYTES };
  }
}

export class WorldMember {
  readonly id: NodeId;
  readonly config: RaftConfig;
  readonly storage: WorldStorage;
  /** States from the durable one on, oldest first; a crash may lose all but the first. */
  states: AppState[];
  node: RawNode | null;
  appendWork: Message[] = [];
  applyWork: Message[] = [];
  /** From its own threads and from itself: reliable and in order. */
  inbox: Message[] = [];

  constructor(config: RaftConfig, storage: WorldStorage) {
    this.id = config.id;
    this.config = config;
    this.storage = storage;
    this.states = [storage.state];
    this.node = new RawNode(config);
  }

  get durable(): AppState {
    return this.states[0] as AppState;
  }

  get current(): AppState {
    return this.states[this.states.length - 1] as AppState;
  }
}

export interface WorldOptions {
  /** All members that will ever be; ids from 1. */
  readonly size: number;
  readonly voters: readonly NodeId[];
  readonly learners?: readonly NodeId[];
  readonly config?: Partial<RaftConfig>;
}

/** Membership and log everybody starts with: one compacted entry of term 1. */
const START: Index = 1;

export class World {
  readonly members: WorldMember[] = [];
  /** In flight between members. */
  network: Message[] = [];
  /** Whether messages from one member to another get through; those that don't vanish on delivery. */
  reaches: (from: NodeId, to: NodeId) => boolean = () => true;
  /** What was applied by anyone, by index. */
  readonly applied = new Map<Index, Entry>();
  /** Read states that came out, with the contexts as numbers. */
  readonly reads: { readonly id: NodeId; readonly read: number; readonly index: Index }[] = [];
  readonly #leaders = new Map<Term, NodeId>();
  /** The highest commit index of anyone when each read was asked for. */
  readonly #readFloors: Index[] = [];
  /** The highest commit index that anyone has ever known. */
  #committed: Index = START;

  constructor(options: WorldOptions) {
    const confState: ConfState = {
      voters: options.voters,
      votersOutgoing: [],
      learners: options.learners ?? [],
      learnersNext: [],
      autoLeave: false,
    };
    for (let id = 1; id <= options.size; id++) {
      const named = options.voters.includes(id) || confState.learners.includes(id);
      const empty = { ...confState, voters: [], learners: [] };
      const storage = new WorldStorage(
        named ? { index: START, term: 1, confState } : { index: 0, term: 0, confState: empty },
      );
      if (named) storage.applySnapshot({ ...storage.state, data: NO_BYTES });
      const config: RaftConfig = {
        electionTick: 3,
        heartbeatTick: 1,
        random: () => 0,
        ...options.config,
        id,
        storage,
        applied: storage.state.index,
      };
      this.members.push(new WorldMember(config, storage));
    }
  }

  member(id: NodeId): WorldMember {
    const member = this.members[id - 1];
    if (member === undefined) throw new Error(`no member ${id}`);
    return member;
  }

  /** A running member. */
  node(id: NodeId): RawNode {
    const { node } = this.member(id);
    if (node === null) throw new Error(`member ${id} is down`);
    return node;
  }

  leaders(): NodeId[] {
    return this.members.filter((m) => m.node?.state === "StateLeader").map((m) => m.id);
  }

  /** Does what one Ready asks for (or hands it to the storage threads). False: there was none. */
  ready(member: WorldMember): boolean {
    const { node } = member;
    if (node === null || !node.hasReady()) return false;
    if (node.state === "StateLeader") this.#noteLeader(node.term, member.id);
    const ready = node.ready();
    for (const { context, index } of ready.readStates) this.#noteRead(member.id, context, index);
    if (member.config.asyncStorageWrites === true) {
      for (const message of ready.messages) {
        if (message.type === "MsgStorageAppend") member.appendWork.push(message);
        else if (message.type === "MsgStorageApply") member.applyWork.push(message);
        else this.network.push(message);
      }
    } else {
      this.#store(member, ready.hardState, ready.entries, ready.snapshot);
      this.network.push(...ready.messages);
      this.#apply(member, ready.committedEntries);
      node.advance();
    }
    return true;
  }

  /** The append thread ends its oldest write. */
  append(member: WorldMember): boolean {
    const message = member.appendWork.shift();
    if (message === undefined) return false;
    const { term, vote, commit, entries, snapshot } = message;
    const changed = term !== 0 || vote !== 0 || commit !== 0;
    this.#store(member, changed ? { term, vote, commit } : null, entries, snapshot);
    this.#respond(member, message);
    return true;
  }

  /** The apply thread ends its oldest batch. */
  apply(member: WorldMember): boolean {
    const message = member.applyWork.shift();
    if (message === undefined) return false;
    this.#apply(member, message.entries);
    this.#respond(member, message);
    return true;
  }

  /** The member hears from its own threads. */
  hear(member: WorldMember): boolean {
    const message = member.inbox.shift();
    if (message === undefined || member.node === null) return false;
    member.node.step(message);
    return true;
  }

  /** The message at this place of the network arrives, or vanishes if it can't. */
  deliver(at: number): void {
    const [message] = this.network.splice(at, 1);
    if (message === undefined) return;
    must(!isLocalThread(message.to), `${message.type} to a storage thread is in the network`);
    const { node } = this.member(message.to);
    if (node !== null && this.reaches(message.from, message.to)) node.step(message);
  }

  /** Dies; keeps what is stored, and of the applied states at least the durable one. */
  crash(member: WorldMember, keepStates = 1): void {
    this.#noteCommitted();
    member.node = null;
    member.appendWork = [];
    member.applyWork = [];
    member.inbox = [];
    member.states = member.states.slice(0, Math.max(1, keepStates));
  }

  restart(member: WorldMember): void {
    if (member.node !== null) return;
    const state = member.current;
    member.states = [state];
    member.storage.state = state;
    member.storage.setConfState(state.confState);
    member.node = new RawNode({ ...member.config, applied: state.index });
  }

  /** The applied state reaches the disk. */
  flush(member: WorldMember): void {
    member.states = [member.current];
  }

  /** Drops the log up to what is durably applied. */
  compact(member: WorldMember): void {
    if (member.durable.index >= member.storage.firstIndex()) {
      member.storage.compact(member.durable.index);
    }
  }

  /** Asks for a read index; the number names it in `reads`. */
  read(id: NodeId): number {
    const read = this.#readFloors.length;
    this.#noteCommitted();
    this.#readFloors.push(this.#committed);
    this.node(id).readIndex(Uint8Array.of(read >> 8, read & 0xff));
    return read;
  }

  /** Everything that is going on comes to its end, in the simplest order. Returns this. */
  settle(stepsMax = 100_000): this {
    for (let step = 0; step < stepsMax; step++) {
      if (!this.#anything()) return this;
    }
    throw new Broken(`not settled after ${stepsMax} steps`);
  }

  #anything(): boolean {
    let any = false;
    for (const member of this.members) {
      if (member.node === null) continue;
      const did = [this.ready(member), this.append(member), this.apply(member), this.hear(member)];
      if (did.includes(true)) any = true;
    }
    for (let left = this.network.length; left > 0; left--) {
      any = true;
      this.deliver(0);
    }
    return any;
  }

  /** Makes `id` campaign, and everything that follows happen. */
  elect(id: NodeId): this {
    this.node(id).campaign();
    return this.settle();
  }

  tick(id: NodeId, times = 1): this {
    for (let i = 0; i < times; i++) this.node(id).tick();
    return this;
  }

  propose(id: NodeId, text: string): ReturnType<RawNode["propose"]> {
    return this.node(id).propose([new TextEncoder().encode(text)]);
  }

  /** Texts of the normal entries that `id` has applied beyond the common start. */
  texts(id: NodeId): string[] {
    const texts: string[] = [];
    for (let index = START + 1; index <= this.member(id).current.index; index++) {
      const entry = this.applied.get(index);
      if (entry === undefined || entry.type !== "EntryNormal" || entry.data.length === 0) continue;
      texts.push(new TextDecoder().decode(entry.data));
    }
    return texts;
  }

  /** The stored log as `term/index`, for reading in a test. */
  log(id: NodeId): string[] {
    const { storage } = this.member(id);
    const log: string[] = [];
    for (let index = storage.firstIndex(); index <= storage.lastIndex(); index++) {
      log.push(`${storage.term(index)}/${index}`);
    }
    return log;
  }

  /** Log Matching (5.3): logs that agree at an index agree below it. */
  checkLogs(): void {
    for (const a of this.members) for (const b of this.members) checkPair(a.storage, b.storage);
  }

  #noteCommitted(): void {
    for (const { node } of this.members) {
      this.#committed = Math.max(this.#committed, node?.commit ?? 0);
    }
  }

  #noteLeader(term: Term, id: NodeId): void {
    const known = this.#leaders.get(term);
    must(known === undefined || known === id, `${known} and ${id} lead term ${term}`);
    this.#leaders.set(term, id);
  }

  #noteRead(id: NodeId, context: Uint8Array, index: Index): void {
    const read = (context[0] ?? 0) * 256 + (context[1] ?? 0);
    const floor = this.#readFloors[read] ?? 0;
    must(index >= floor, `read ${read} got index ${index}, but ${floor} was committed before it`);
    this.reads.push({ id, read, index });
  }

  #store(
    member: WorldMember,
    state: HardState | null,
    entries: readonly Entry[],
    snapshot: Snapshot | null,
  ): void {
    const { storage } = member;
    if (state !== null) {
      const old = storage.hardState;
      must(state.term >= old.term, `${member.id}: stored term falls`);
      const revoted = state.term === old.term && old.vote !== 0 && state.vote !== old.vote;
      must(!revoted, `${member.id} votes twice in term ${state.term}`);
      storage.setHardState(state);
    }
    if (snapshot !== null) {
      storage.applySnapshot(snapshot);
      const { index, term, confState } = snapshot;
      must(index > member.current.index, `${member.id}: a snapshot of what is applied`);
      member.states = [{ index, term, confState }];
      storage.state = member.current;
    }
    storage.append(entries);
  }

  #apply(member: WorldMember, entries: readonly Entry[]): void {
    for (const entry of entries) {
      const { index } = member.current;
      // The append thread has installed a snapshot while this waited for the apply thread.
      if (member.config.asyncStorageWrites === true && entry.index <= index) continue;
      must(entry.index === index + 1, `${member.id} applies ${entry.index} after ${index}`);
      this.#noteApplied(member.id, entry);
      let { confState } = member.current;
      if (entry.type !== "EntryNormal" && member.node !== null) {
        const decoded = decodeConfChange(entry.data);
        must(decoded.ok, `${member.id}: a conf change that can't be decoded is committed`);
        confState = member.node.applyConfChange(decoded.change);
      }
      member.states.push({ index: entry.index, term: entry.term, confState });
      member.storage.state = member.current;
    }
  }

  #noteApplied(id: NodeId, entry: Entry): void {
    const known = this.applied.get(entry.index);
    if (known === undefined) {
      this.applied.set(entry.index, entry);
      return;
    }
    const same = known.term === entry.term && known.data.join() === entry.data.join();
    must(same, `${id} applies another entry at ${entry.index}`);
  }

  #respond(member: WorldMember, { responses }: Message): void {
    for (const response of responses) {
      if (response.to === member.id) member.inbox.push(response);
      else this.network.push(response);
    }
  }
}

function checkPair(a: MemoryStorage, b: MemoryStorage): void {
  const first = Math.max(a.firstIndex(), b.firstIndex());
  let agreed = false;
  for (let index = Math.min(a.lastIndex(), b.lastIndex()); index >= first; index--) {
    const same = a.term(index) === b.term(index);
    must(same || !agreed, `logs agree above ${index}, but not there`);
    agreed = same;
  }
}
