// Several messages that are chosen, to be deleted together.
import { LIMITS, type Message } from "@parley/client/browser";

export interface Selection {
  readonly seqs: ReadonlySet<number>;
  /** The one chosen last: a range begins at it. */
  readonly lastSeq: number;
}

export const NOTHING_SELECTED: Selection = { seqs: new Set(), lastSeq: 0 };

/** What one request takes. */
export const SELECTED_MAX = LIMITS.deleteSeqsMax;

/** With the message if it was not in it, without it if it was. */
export function toggled({ seqs }: Selection, seq: number): Selection {
  const next = new Set(seqs);
  if (!next.delete(seq) && next.size < SELECTED_MAX) next.add(seq);
  return { seqs: next, lastSeq: seq };
}

/** With all of `selectable` from the one chosen last to this one. */
export function extended(
  { seqs, lastSeq }: Selection,
  selectable: readonly number[],
  seq: number,
): Selection {
  const from = Math.min(lastSeq === 0 ? seq : lastSeq, seq);
  const to = Math.max(lastSeq, seq);
  const next = new Set(seqs);
  for (const one of selectable) {
    if (one >= from && one <= to && next.size < SELECTED_MAX) next.add(one);
  }
  return { seqs: next, lastSeq: seq };
}

/** Without what can't be chosen any more, such as what somebody else deleted meanwhile. */
export function stillSelected(
  { seqs }: Selection,
  messages: readonly Message[],
): readonly number[] {
  const deleted = new Set(messages.filter((message) => message.deleted).map(({ seq }) => seq));
  return [...seqs].filter((seq) => !deleted.has(seq)).sort((one, other) => one - other);
}
