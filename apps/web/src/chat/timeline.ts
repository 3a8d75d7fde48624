// One room's messages as the page shows them: a stretch without a gap, that grows at both ends. Events, pages of history and the answers
// to one's own sends may come in any order; of each message the state of the highest revision is kept (P5).
import type { Event, HistoryResult, Message } from "@parley/client/browser";
import { sayProblem } from "../text/problem-text.ts";

export interface TimelineView {
  /** Ascending, without a gap but for one's own newest, which may be ahead of the events. */
  readonly messages: readonly Message[];
  readonly loaded: boolean;
  readonly hasOlder: boolean;
  /** False = what is shown ends before the newest message. */
  readonly atEnd: boolean;
  readonly loading: boolean;
  readonly problem: string;
}

/** Where the messages come from. */
export interface TimelineSource {
  /** Up to `limit` messages below `beforeSeq` (0 = the newest). */
  older(roomId: number, beforeSeq: number, limit: number): Promise<HistoryResult>;
  /** The first messages above `afterSeq`. */
  newer(roomId: number, afterSeq: number, limit: number): Promise<readonly Message[]>;
}

export const PAGE = 50;
const EMPTY: TimelineView = {
  messages: [],
  loaded: false,
  hasOlder: true,
  atEnd: true,
  loading: false,
  problem: "",
};

export class Timeline {
  readonly roomId: number;
  readonly #source: TimelineSource;
  readonly #listeners = new Set<() => void>();
  /** Without a gap. */
  #stretch: readonly Message[] = [];
  /** What came while everything was being loaded: the page may be older. Undefined = it is not. */
  #meanwhile: Message[] | undefined;
  /** Own messages that are committed but whose elders have not arrived. */
  #ahead: readonly Message[] = [];
  #view: TimelineView = EMPTY;
  /** Counts loads from scratch; what was asked before one is not used after it. */
  #generation = 0;

  constructor(roomId: number, source: TimelineSource) {
    this.roomId = roomId;
    this.#source = source;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  readonly getSnapshot = (): TimelineView => this.#view;

  /** Loads the newest messages unless there are some. */
  open(): void {
    if (!this.#view.loaded && !this.#view.loading) void this.#load(0);
  }

  /** Shows the surroundings of `seq`, or with 0 the newest. Does nothing when they are shown already. */
  async show(seq: number): Promise<void> {
    const isShown =
      seq === 0
        ? this.#view.loaded && this.#view.atEnd
        : this.#stretch.some((message) => message.seq === seq);
    if (!isShown) await this.#load(seq);
  }

  /** Everything was loaded anew elsewhere. */
  reset(): void {
    if (this.#view.loaded || this.#view.loading) void this.#load(0);
  }

  /** After a problem: what could not be loaded is asked for again. */
  retry(): void {
    if (this.#view.problem === "") return;
    if (this.#view.loaded) this.#show({ problem: "" });
    else void this.#load(0);
  }

  async loadOlder(): Promise<void> {
    const [first] = this.#stretch;
    if (first === undefined || !this.#view.hasOlder || this.#view.loading) return;
    await this.#page(async () => {
      const { messages } = await this.#source.older(this.roomId, first.seq, PAGE);
      const hasOlder = messages.length > 0 && messages[0]?.seq !== 1;
      return () => this.#join(messages, { hasOlder });
    });
  }

  async loadNewer(): Promise<void> {
    const last = this.#stretch.at(-1);
    if (last === undefined || this.#view.atEnd || this.#view.loading) return;
    await this.#page(async () => {
      const messages = await this.#source.newer(this.roomId, last.seq, PAGE);
      return () => this.#join(messages, { atEnd: messages.length < PAGE });
    });
  }

  apply(event: Event): void {
    const change = event.event;
    if (change?.$case === "message") this.add(change.value);
    else if (change?.$case === "messageChanged") {
      this.#meanwhile?.push(change.value);
      this.#join([change.value], {});
    } else if (change?.$case === "roomReset") this.reset();
  }

  /** A new message: of an event, or the answer to one's own send. */
  add(message: Message): void {
    this.#meanwhile?.push(message);
    if (!this.#view.loaded || !this.#view.atEnd) return;
    if (message.seq > (this.#stretch.at(-1)?.seq ?? 0) + 1) {
      this.#ahead = merged(this.#ahead, [message]);
      this.#show({});
    } else this.#join([message], {});
  }

  async #load(seq: number): Promise<void> {
    this.#generation += 1;
    const meanwhile: Message[] = [];
    this.#meanwhile = meanwhile;
    await this.#page(async () => {
      const before = seq === 0 ? 0 : seq + PAGE / 2;
      const { messages } = await this.#source.older(this.roomId, before, PAGE);
      return () => {
        this.#stretch = [];
        const atEnd = seq === 0 || (messages.at(-1)?.seq ?? 0) < before - 1;
        const hasOlder = messages.length > 0 && messages[0]?.seq !== 1;
        this.#join(messages, { loaded: true, atEnd, hasOlder });
        this.#meanwhile = undefined;
        for (const message of meanwhile) {
          if (message.seq > (this.#stretch.at(-1)?.seq ?? 0)) this.add(message);
          else this.#join([message], {});
        }
      };
    });
  }

  async #page(load: () => Promise<() => void>): Promise<void> {
    const generation = this.#generation;
    this.#show({ loading: true, problem: "" });
    try {
      const use = await load();
      if (generation !== this.#generation) return;
      use();
      this.#show({ loading: false });
    } catch (cause) {
      sayProblem(cause, (problem) => {
        if (generation === this.#generation) this.#show({ loading: false, problem });
      });
    }
  }

  /** A page without a gap that touches or overlaps the stretch; one that does not is not taken. */
  #join(page: readonly Message[], change: Partial<TimelineView>): void {
    const [from, to] = [page[0]?.seq ?? 0, page.at(-1)?.seq ?? 0];
    const [first, last] = [this.#stretch[0]?.seq, this.#stretch.at(-1)?.seq];
    const touches =
      first === undefined || last === undefined || (from <= last + 1 && to >= first - 1);
    if (touches) this.#stretch = merged(this.#stretch, page);
    while (
      this.#ahead[0] !== undefined &&
      this.#ahead[0].seq <= (this.#stretch.at(-1)?.seq ?? 0) + 1
    ) {
      this.#stretch = merged(this.#stretch, [this.#ahead[0]]);
      this.#ahead = this.#ahead.slice(1);
    }
    this.#show(change);
  }

  #show(change: Partial<TimelineView>): void {
    const messages = this.#ahead.length === 0 ? this.#stretch : [...this.#stretch, ...this.#ahead];
    const kept = sameItems(messages, this.#view.messages) ? this.#view.messages : messages;
    this.#view = { ...this.#view, ...change, messages: kept };
    for (const listener of [...this.#listeners]) listener();
  }
}

function sameItems<T>(left: readonly T[], right: readonly T[]): boolean {
  return left.length === right.length && left.every((one, at) => one === right[at]);
}

/** By sequence; of two states of one message the newer. */
function merged(left: readonly Message[], right: readonly Message[]): readonly Message[] {
  // The common case: new messages at the end.
  if ((right[0]?.seq ?? 0) > (left.at(-1)?.seq ?? 0)) return [...left, ...right];
  const bySeq = new Map(left.map((message) => [message.seq, message]));
  for (const message of right) {
    const known = bySeq.get(message.seq);
    if (known === undefined || known.revision < message.revision) bySeq.set(message.seq, message);
  }
  return [...bySeq.values()].sort((one, other) => one.seq - other.seq);
}
