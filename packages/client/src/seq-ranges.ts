// Which messages of a room are at hand: ranges of sequence numbers, both ends included, ascending,
// neither overlapping nor touching. What lies between them is known to be missing (P5).

export interface SeqRange {
  readonly from: number;
  readonly to: number;
}

export type SeqRanges = readonly SeqRange[];

/** The ranges with one more, merged with those that it overlaps or touches. */
export function withRange(ranges: SeqRanges, added: SeqRange): SeqRanges {
  if (added.to < added.from) return ranges;
  const before = ranges.filter(({ to }) => to < added.from - 1);
  const after = ranges.filter(({ from }) => from > added.to + 1);
  const merged = ranges.slice(before.length, ranges.length - after.length);
  const from = Math.min(added.from, merged[0]?.from ?? added.from);
  const to = Math.max(added.to, merged.at(-1)?.to ?? added.to);
  return [...before, { from, to }, ...after];
}

/** The range that has this number; undefined = it is missing. */
export function rangeAt(ranges: SeqRanges, seq: number): SeqRange | undefined {
  return ranges.find(({ from, to }) => from <= seq && seq <= to);
}
