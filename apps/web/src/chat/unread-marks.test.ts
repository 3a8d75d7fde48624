import { expect, test } from "vitest";
import { type MarkStore, UnreadMarks } from "./unread-marks.ts";

/** A browser's storage with several tabs. */
function storage() {
  let kept: unknown;
  const tabs = new Set<() => void>();
  const tab = (): MarkStore => {
    let own: (() => void) | undefined;
    return {
      load: () => kept,
      save: (rooms) => {
        kept = rooms;
        for (const listener of tabs) if (listener !== own) listener();
      },
      onSavedElsewhere: (listener) => {
        own = listener;
        tabs.add(listener);
        return () => tabs.delete(listener);
      },
    };
  };
  const put = (value: unknown) => {
    kept = value;
  };
  return { tab, put };
}

test("a mark is seen in all tabs, survives a reload, and is gone when it was read", () => {
  const browser = storage();
  const [one, two] = [new UnreadMarks(browser.tab()), new UnreadMarks(browser.tab())];
  let told = 0;
  two.subscribe(() => {
    told += 1;
  });
  one.mark(7, 12);
  expect([one.of(7), two.of(7), told]).toEqual([12, 12, 1]);
  expect(new UnreadMarks(browser.tab()).of(7)).toBe(12);
  two.clear(7);
  expect([one.of(7), two.of(7)]).toEqual([0, 0]);
  one.mark(1, 1);
  one.mark(2, 2);
  two.clearAll();
  expect(one.getSnapshot()).toEqual({});
});

test("P11: whatever storage holds, what is taken from it is bounded and makes sense", () => {
  const browser = storage();
  for (const value of [undefined, null, "x", 7, [], { a: 1, 3: "x", 4: -1, 5: 0.5 }]) {
    browser.put(value);
    expect(new UnreadMarks(browser.tab()).getSnapshot()).toEqual({});
  }
  browser.put(Object.fromEntries(Array.from({ length: 999 }, (_, at) => [at + 1, 1])));
  expect(Object.keys(new UnreadMarks(browser.tab()).getSnapshot())).toHaveLength(200);
});
