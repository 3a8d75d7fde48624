// What a log should hold after a history of writes, so that one found after a crash can be judged.
import type { LogWrite } from "@parley/node/ports";
import type { Entry } from "@parley/raft";

/** Entries first … last of `term`, replacing what stood there, with a hard state of that term. */
export interface ModelWrite {
  readonly first: number;
  readonly last: number;
  readonly term: number;
  readonly vote: number;
}

export interface ModelLog {
  /** The term of entry i + 1 at position i. */
  readonly terms: readonly number[];
  readonly term: number;
  readonly vote: number;
}

export const EMPTY_MODEL: ModelLog = { terms: [], term: 0, vote: 0 };

export function modelAfter(log: ModelLog, write: ModelWrite): ModelLog {
  const terms = log.terms.slice(0, write.first - 1);
  for (let index = write.first; index <= write.last; index++) terms.push(write.term);
  return { terms, term: write.term, vote: write.vote };
}

/** Every byte of an entry follows from its place, so that any other is noticed. */
export function modelEntry(index: number, term: number): Entry {
  const data = new Uint8Array(50 + ((index * 37 + term) % 400));
  for (let at = 0; at < data.length; at++) data[at] = (index * 31 + term * 17 + at) & 0xff;
  return { index, term, type: "EntryNormal", data };
}

export function toLogWrite({ first, last, term, vote }: ModelWrite): LogWrite {
  const entries: Entry[] = [];
  for (let index = first; index <= last; index++) entries.push(modelEntry(index, term));
  return { hardState: { term, vote, commit: 0 }, entries };
}

/** Mulberry32: small, and the same everywhere. */
export function seededRandom(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

/** Appends of 1 to 8 entries; one in ten begins a new term and replaces a part of the suffix. */
export function* plannedWrites(
  seed: number,
  start: { readonly lastIndex: number; readonly term: number },
): Generator<ModelWrite, never> {
  const random = seededRandom(seed);
  let lastIndex = start.lastIndex;
  let term = Math.max(start.term, 1);
  for (;;) {
    const replacing = random(10) === 0;
    if (replacing) term += 1;
    const first = replacing ? Math.max(1, lastIndex + 1 - random(20)) : lastIndex + 1;
    lastIndex = first + random(8);
    // The vote is a function of the term: one vote a term.
    yield { first, last: lastIndex, term, vote: (term % 5) + 1 };
  }
}
