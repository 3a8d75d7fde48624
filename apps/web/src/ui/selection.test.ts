import type { Message } from "@parley/client/browser";
import { expect, test } from "vitest";
import { extended, NOTHING_SELECTED, SELECTED_MAX, stillSelected, toggled } from "./selection.ts";

const seqsOf = (selection: { readonly seqs: ReadonlySet<number> }) => [...selection.seqs];

test("one more, one less, and a range from the last one in both directions", () => {
  const one = toggled(NOTHING_SELECTED, 5);
  expect(seqsOf(one)).toEqual([5]);
  expect(seqsOf(toggled(one, 5))).toEqual([]);
  expect(seqsOf(extended(one, [2, 3, 5, 8], 2))).toEqual([5, 2, 3]);
  expect(seqsOf(extended(one, [2, 3, 5, 8, 9], 8))).toEqual([5, 8]);
  expect(seqsOf(extended(NOTHING_SELECTED, [2, 3, 4], 3))).toEqual([3]);
});

test("P11: no more than one request takes", () => {
  const all = Array.from({ length: 3 * SELECTED_MAX }, (_, at) => at + 1);
  const full = extended(toggled(NOTHING_SELECTED, 1), all, all.length);
  expect(full.seqs.size).toBe(SELECTED_MAX);
  expect(toggled(full, all.length).seqs.size).toBe(SELECTED_MAX);
});

test("what was deleted meanwhile is not asked for again", () => {
  const messages = [
    { seq: 1, deleted: true },
    { seq: 2, deleted: false },
  ] as Message[];
  const selection = { seqs: new Set([2, 1, 0]), lastSeq: 1 };
  expect(stillSelected(selection, messages)).toEqual([0, 2]);
});
