// One thread as the page shows it: the message that it is about, then the replies. Their numbers have gaps, because they are the room's; so
// what is at hand is the newest pages and what came after them. Of each message the state of the highest revision is kept (P5).
import type { CallResult, Event, Message } from "@parley/client/browser";
import { sayProblem } from "../text/problem-text.ts";
import { PAGE, type TimelineView } from "./timeline.ts";

/** The newest replies before `beforeSeq` (0 = the newest of all), with the message that they are about. */
export type ThreadSource = (
  beforeSeq: number,
  limit: number,
) => Promise<Pick<CallResult<"thread">, "root" | "messages">>;

/** Pages that are looked through for one reply at the most. */
const PAGES_TO_SHOW_MAX = 40;
const EMPTY: TimelineView = {
  messages: [],
  loaded: false,
  hasOlder: true,
  atEnd: true,
  loading: false,
  problem: "",
};

export class Thread {
  readonly roomId: number;
  readonly rootSeq: number;
  readonly #source: ThreadSource;
  readonly #listeners = new Set<() => void>();
  #messages = new Map<number, Message>();
  /** The first reply of the pages so far; 0 = none is loaded. */
  #oldestSeq = 0;
  #view = EMPTY;
  /** Counts loads from scratch; what was asked before one is not used after it. */
  #generation = 0;

  /** `known`: what the room's timeline has of it, to be shown until the newest page is there. */
  constructor(roomId: number, rootSeq: number, known: readonly Message[], source: ThreadSource) {
    this.roomId = roomId;
    this.rootSeq = rootSeq;
    this.#source = source;
    for (const message of known) this.#put(message);
    this.#show({});
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  readonly getSnapshot = (): TimelineView => this.#view;

  /** The message that it is about, where that is at hand. */
  get root(): Message | undefined {
    return this.#messages.get(this.rootSeq);
  }

  /** Loads the newest replies unless there are some, and older ones until `seq` (0 = none in particular) is among them. */
  async show(seq: number): Promise<void> {
    if (!this.#view.loaded && !this.#view.loading) await this.#load();
    for (let page = 0; page < PAGES_TO_SHOW_MAX; page += 1) {
      const isNeeded = seq > this.rootSeq && seq < this.#oldestSeq && this.#view.hasOlder;
      if (!isNeeded || this.#view.problem !== "") return;
      await this.loadOlder();
    }
  }

  /** Everything was loaded anew elsewhere. */
  reset(): void {
    if (this.#view.loaded || this.#view.loading) void this.#load();
  }

  /** After a problem: what could not be loaded is asked for again. */
  retry(): void {
    if (this.#view.problem === "") return;
    if (this.#view.loaded) this.#show({ problem: "" });
    else void this.#load();
  }

  async loadOlder(): Promise<void> {
    if (!this.#view.loaded || !this.#view.hasOlder || this.#view.loading) return;
    await this.#page(this.#oldestSeq);
  }

  /** What is newer comes by itself. */
  async loadNewer(): Promise<void> {}

  apply(event: Event): void {
    const change = event.event;
    if (change?.$case === "message") this.add(change.value);
    else if (change?.$case === "messageChanged" && this.#messages.has(change.value.seq)) {
      this.#put(change.value);
      this.#show({});
    }
  }

  /** A new message of the room: of an event, or the answer to one's own send. */
  add(message: Message): void {
    if (message.threadRootSeq !== this.rootSeq) return;
    this.#put(message);
    this.#show({});
  }

  async #load(): Promise<void> {
    this.#generation += 1;
    await this.#page(0);
  }

  async #page(beforeSeq: number): Promise<void> {
    const generation = this.#generation;
    this.#show({ loading: true, problem: "" });
    try {
      const { root, messages } = await this.#source(beforeSeq, PAGE);
      if (generation !== this.#generation) return;
      const hasOlder = messages.length === PAGE;
      this.#oldestSeq = messages[0]?.seq ?? this.#oldestSeq;
      // What was known before may stand beyond a gap.
      if (beforeSeq === 0 && hasOlder) this.#forgetOlder();
      for (const message of root === undefined ? messages : [root, ...messages]) this.#put(message);
      this.#show({ loaded: true, loading: false, hasOlder });
    } catch (cause) {
      sayProblem(cause, (problem) => {
        if (generation === this.#generation) this.#show({ loading: false, problem });
      });
    }
  }

  #forgetOlder(): void {
    for (const seq of this.#messages.keys()) {
      if (seq > this.rootSeq && seq < this.#oldestSeq) this.#messages.delete(seq);
    }
  }

  #put(message: Message): void {
    const known = this.#messages.get(message.seq);
    if (known === undefined || known.revision < message.revision) {
      this.#messages.set(message.seq, message);
    }
  }

  #show(change: Partial<TimelineView>): void {
    const messages = [...this.#messages.values()].sort((one, other) => one.seq - other.seq);
    const before = this.#view.messages;
    const isSame =
      messages.length === before.length && messages.every((one, at) => one === before[at]);
    this.#view = { ...this.#view, ...change, messages: isSame ? before : messages };
    for (const listener of [...this.#listeners]) listener();
  }
}
