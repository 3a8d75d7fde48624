import type { Message } from "@parley/client/browser";
import { expect, test } from "vitest";
import { seenBy, seenText } from "./seen.ts";

const ANN = 1;
const BOB = 2;

function said(...authors: [seq: number, authorId: number][]): Message[] {
  return authors.map(([seq, authorId]) => ({ seq, authorId }) as Message);
}

const bob = (seq: number) => ({ accountId: BOB, username: "bob", seq });
const cat = (seq: number) => ({ accountId: 3, username: "cat", seq });

test("each stands under the last message that they have read", () => {
  const messages = said([1, ANN], [2, ANN], [3, ANN]);
  expect([...seenBy(messages, [bob(2), cat(2)], true)]).toEqual([[2, ["bob", "cat"]]]);
  expect([...seenBy(messages, [bob(3), cat(1)], true)]).toEqual([
    [3, ["bob"]],
    [1, ["cat"]],
  ]);
});

test("a number that is not shown, such as that of a reply in a thread, counts as the one before it", () => {
  expect([...seenBy(said([1, ANN], [4, ANN]), [bob(3)], true)]).toEqual([[1, ["bob"]]]);
});

test("nobody stands under their own message, and whoever writes has read what stands above", () => {
  expect(seenBy(said([1, ANN], [2, BOB]), [bob(2)], true).size).toBe(0);
  expect(seenBy(said([1, ANN], [2, BOB]), [bob(1)], true).size).toBe(0);
  expect([...seenBy(said([1, BOB], [2, ANN]), [bob(2)], true)]).toEqual([[2, ["bob"]]]);
});

test("what is not shown says nothing: before the first message, or after the last of a page", () => {
  expect(seenBy(said([5, ANN]), [bob(4)], true).size).toBe(0);
  expect(seenBy(said([5, ANN]), [bob(9)], false).size).toBe(0);
  expect([...seenBy(said([5, ANN]), [bob(9)], true)]).toEqual([[5, ["bob"]]]);
});

test("the text names three, and nobody where there is only one to have seen it", () => {
  expect(seenText(["bob"], true)).toBe("Seen");
  expect(seenText(["bob", "cat"], false)).toBe("Seen by bob, cat");
  expect(seenText(["a", "b", "c", "d", "e"], false)).toBe("Seen by a, b, c and 2 more");
});
