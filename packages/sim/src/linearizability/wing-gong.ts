// Is there an order of the operations, each taking effect at one moment between its call and its
// return, in which every one gets the answer that it got? (Herlihy and Wing.) The search is Wing and
// Gong's with Lowe's memoisation, as in Porcupine: operations that nothing forces to come later are
// tried one after another, and a set of operations that has led to a state once is not tried again.
//
// An operation without a known outcome has no return: it may have taken effect at any moment after its
// call, or never.

/** One operation of a history. `calledAt` and `returnedAt` order everything that was seen; they are all different. */
export interface TimedOperation<O> {
  readonly operation: O;
  readonly calledAt: number;
  /** Undefined = its outcome is not known. */
  readonly returnedAt: number | undefined;
}

/** A sequential object. States are values: `step` makes new ones. */
export interface Model<S, O> {
  readonly initial: S;
  /** The state after the operation; undefined = it could not have got its answer in this state. */
  step(state: S, operation: O): S | undefined;
  /** Equal for equal states and for no others. */
  key(state: S): string | number;
}

export type LinearizabilityVerdict<O> =
  | { readonly kind: "linearizable" }
  /** No order explains this operation together with all that returned before it. */
  | { readonly kind: "violated"; readonly operation: TimedOperation<O> }
  /** The bound on the search was reached. */
  | { readonly kind: "undecided" };

/** A call or a return in the list of what is not in order yet. */
interface Entry<O> {
  readonly timed: TimedOperation<O>;
  /** Of the operation, in the set of those in order. */
  readonly bit: number;
  /** A call's return; undefined on a return. */
  readonly end: Entry<O> | undefined;
  readonly isCall: boolean;
  previous: Entry<O> | undefined;
  next: Entry<O> | undefined;
}

interface Unanswered<O> {
  readonly timed: TimedOperation<O>;
  readonly bit: number;
}

/** What was put in order last, and how to go on when that turns out to be wrong. */
type Step<S, O> = { readonly stateBefore: S } & (
  | { readonly kind: "answered"; readonly call: Entry<O> }
  | { readonly kind: "unanswered"; readonly at: number }
);

/** Searches with at most `stepsMax` steps. */
export function checkLinearizable<S, O>(
  model: Model<S, O>,
  history: readonly TimedOperation<O>[],
  stepsMax: number,
): LinearizabilityVerdict<O> {
  return new Search(model, history).run(stepsMax);
}

class Search<S, O> {
  readonly #model: Model<S, O>;
  readonly #head: Entry<O>;
  /** In the order of their calls. They are ordered only when nothing else can be: most never matter. */
  readonly #unanswered: readonly Unanswered<O>[];
  readonly #ordered: BitSet;
  readonly #tried = new Set<string>();
  readonly #path: Step<S, O>[] = [];
  #state: S;
  #returnsLeft: number;
  /** What is tried next: a call of the list, or at its first return one of the unanswered. */
  #entry: Entry<O> | undefined;
  #unansweredAt = 0;
  /** The latest return that the search has come to and not got past. */
  #blocked: TimedOperation<O> | undefined;

  constructor(model: Model<S, O>, history: readonly TimedOperation<O>[]) {
    this.#model = model;
    this.#state = model.initial;
    this.#ordered = new BitSet(history.length);
    this.#head = linked(history);
    this.#entry = this.#head.next;
    this.#unanswered = history
      .map((timed, bit) => ({ timed, bit }))
      .filter(({ timed }) => timed.returnedAt === undefined)
      .sort((a, b) => a.timed.calledAt - b.timed.calledAt);
    this.#returnsLeft = history.length - this.#unanswered.length;
  }

  run(stepsMax: number): LinearizabilityVerdict<O> {
    for (let steps = 0; this.#returnsLeft > 0; steps += 1) {
      if (steps >= stepsMax) return { kind: "undecided" };
      const entry = this.#entry;
      if (entry === undefined)
        throw new Error("what has not returned yet has a return in the list");
      if (entry.isCall) this.#tryCall(entry);
      else if (!this.#tryUnanswered(entry.timed) && !this.#goBack()) {
        return { kind: "violated", operation: this.#blocked ?? entry.timed };
      }
    }
    return { kind: "linearizable" };
  }

  #tryCall(call: Entry<O>): void {
    const stateBefore = this.#state;
    if (!this.#advance(call.timed, call.bit)) {
      this.#entry = call.next;
      return;
    }
    this.#path.push({ kind: "answered", call, stateBefore });
    this.#returnsLeft -= 1;
    lift(call);
    this.#begin();
  }

  /** Whoever returns here must be in order by now; an unanswered operation before it may make it possible. */
  #tryUnanswered(blocked: TimedOperation<O>): boolean {
    if (returnedLater(blocked, this.#blocked)) this.#blocked = blocked;
    const stateBefore = this.#state;
    for (let at = this.#unansweredAt; at < this.#unanswered.length; at += 1) {
      const { timed, bit } = this.#unanswered[at] as Unanswered<O>;
      if (timed.calledAt > (blocked.returnedAt ?? 0)) return false;
      if (this.#ordered.has(bit) || !this.#changes(timed.operation)) continue;
      if (!this.#advance(timed, bit)) continue;
      this.#path.push({ kind: "unanswered", at, stateBefore });
      this.#begin();
      return true;
    }
    return false;
  }

  /** An operation that leaves the state as it is, and whose answer nobody has, need not have happened. */
  #changes(operation: O): boolean {
    const next = this.#model.step(this.#state, operation);
    return next !== undefined && this.#model.key(next) !== this.#model.key(this.#state);
  }

  /** Takes the step if it is possible and leads to something that was not tried. */
  #advance(timed: TimedOperation<O>, bit: number): boolean {
    const next = this.#model.step(this.#state, timed.operation);
    if (next === undefined) return false;
    const key = `${this.#ordered.with(bit)}|${this.#model.key(next)}`;
    if (this.#tried.has(key)) return false;
    this.#tried.add(key);
    this.#ordered.add(bit);
    this.#state = next;
    return true;
  }

  #begin(): void {
    this.#entry = this.#head.next;
    this.#unansweredAt = 0;
  }

  /** Undoes the last step. False: there is none. */
  #goBack(): boolean {
    const last = this.#path.pop();
    if (last === undefined) return false;
    this.#state = last.stateBefore;
    if (last.kind === "answered") {
      this.#ordered.delete(last.call.bit);
      this.#returnsLeft += 1;
      unlift(last.call);
      this.#entry = last.call.next;
      this.#unansweredAt = 0;
      return true;
    }
    this.#ordered.delete((this.#unanswered[last.at] as Unanswered<O>).bit);
    // All calls before the first return had been tried when this step was taken.
    this.#entry = this.#head.next;
    while (this.#entry?.isCall === true) this.#entry = this.#entry.next;
    this.#unansweredAt = last.at + 1;
    return true;
  }
}

function returnedLater<O>(one: TimedOperation<O>, other: TimedOperation<O> | undefined): boolean {
  return (one.returnedAt ?? 0) > (other?.returnedAt ?? -1);
}

/** The calls and returns of what was answered in the order of time, behind a head that is neither. */
function linked<O>(history: readonly TimedOperation<O>[]): Entry<O> {
  const moments: { readonly at: number; readonly entry: Entry<O> }[] = [];
  for (const [bit, timed] of history.entries()) {
    if (timed.returnedAt === undefined) continue;
    const links = { previous: undefined, next: undefined };
    const end: Entry<O> = { timed, bit, end: undefined, isCall: false, ...links };
    moments.push({ at: timed.calledAt, entry: { timed, bit, end, isCall: true, ...links } });
    moments.push({ at: timed.returnedAt, entry: end });
  }
  moments.sort((a, b) => a.at - b.at);
  const head = { next: undefined } as Entry<O>;
  let last = head;
  for (const { entry } of moments) {
    last.next = entry;
    entry.previous = last;
    last = entry;
  }
  return head;
}

/** Takes a call and its return out of the list. They remember where they were. */
function lift<O>(call: Entry<O>): void {
  unlink(call);
  if (call.end !== undefined) unlink(call.end);
}

/** Puts them back; only what was taken out later has been put back before. */
function unlift<O>(call: Entry<O>): void {
  if (call.end !== undefined) relink(call.end);
  relink(call);
}

function unlink<O>(entry: Entry<O>): void {
  if (entry.previous !== undefined) entry.previous.next = entry.next;
  if (entry.next !== undefined) entry.next.previous = entry.previous;
}

function relink<O>(entry: Entry<O>): void {
  if (entry.previous !== undefined) entry.previous.next = entry;
  if (entry.next !== undefined) entry.next.previous = entry;
}

class BitSet {
  readonly #words: Uint32Array;

  constructor(size: number) {
    this.#words = new Uint32Array(Math.ceil(size / 32));
  }

  has(bit: number): boolean {
    return ((this.#words[bit >> 5] ?? 0) & (1 << (bit & 31))) !== 0;
  }

  add(bit: number): void {
    this.#words[bit >> 5] = (this.#words[bit >> 5] ?? 0) | (1 << (bit & 31));
  }

  delete(bit: number): void {
    this.#words[bit >> 5] = (this.#words[bit >> 5] ?? 0) & ~(1 << (bit & 31));
  }

  /** This set with one more, as text. */
  with(bit: number): string {
    this.add(bit);
    const text = this.#words.join(",");
    this.delete(bit);
    return text;
  }
}
