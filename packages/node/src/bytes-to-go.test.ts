import { expect, test } from "vitest";
import { bytesToGo } from "./bytes-to-go.ts";

const LOG = { compactedIndex: 1_000, lastIndex: 1_500, logBytes: 50_000, chatBytes: 800_000 };

test("whoever is in the log's reach needs the entries that it lacks, at their average size", () => {
  expect(bytesToGo(1_500, LOG, undefined)).toBe(0);
  expect(bytesToGo(1_490, LOG, undefined)).toBe(1_000);
  expect(bytesToGo(1_000, LOG, undefined)).toBe(50_000);
});

test("whoever is behind the log needs the chat file first", () => {
  expect(bytesToGo(0, LOG, undefined)).toBe(850_000);
  expect(bytesToGo(999, LOG, undefined)).toBe(850_000);
});

test("a copy under way counts with what is left of it, and the entries after it", () => {
  expect(bytesToGo(0, LOG, { index: 1_400, bytesLeft: 300_000 })).toBe(310_000);
  expect(bytesToGo(0, LOG, { index: 1_400, bytesLeft: 0 })).toBe(10_000);
});

test("an empty log, and one that is not measured yet, make nothing odd of it", () => {
  const empty = { compactedIndex: 0, lastIndex: 0, logBytes: 0, chatBytes: 0 };
  expect(bytesToGo(0, empty, undefined)).toBe(0);
  expect(bytesToGo(7, empty, undefined)).toBe(0);
});
