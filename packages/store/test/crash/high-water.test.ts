// Every point at which a crash can fall between the log and its high-water record (P1, P9).
import { readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { highWaterPath } from "../../src/files.ts";
import {
  decodeHighWater,
  encodeHighWater,
  type FoundRecord,
  type HighWater,
  type LogSummary,
  loweredHighWater,
  newestHighWater,
  raisedHighWater,
  recoveryVerdict,
} from "../../src/high-water.ts";
import { HighWaterFile } from "../../src/high-water-file.ts";
import { LogEngine } from "../../src/log-engine.ts";
import { type ScratchDirectory, scratchDirectory } from "../scratch-directory.ts";
import { type Image, openImage, restoreImage, takeImage } from "./image.ts";
import { modelEntry, toLogWrite } from "./log-model.ts";

let directory: ScratchDirectory;
let engine: LogEngine;
beforeEach(() => {
  directory = scratchDirectory();
  engine = LogEngine.open(directory.dbPath);
  engine.append([toLogWrite({ first: 1, last: 10, term: 3, vote: 2 })]);
});
afterEach(() => {
  engine.close();
  directory.remove();
});

function image(): Image {
  return takeImage(directory.dbPath);
}

/** The record file after one more write of the record. */
function recordAfter(record: Uint8Array, highWater: HighWater): Uint8Array {
  const path = `${directory.path}/record`;
  writeFileSync(path, record);
  const found = HighWaterFile.find(path);
  if (found.kind !== "found") throw new Error("no record to start from");
  const file = HighWaterFile.open(path, found.highWater);
  file.write(highWater);
  file.close();
  return new Uint8Array(readFileSync(path));
}

describe("a crash around an append", () => {
  test("after the log's transaction, before the record: the log is longer, and whole", () => {
    const before = image();
    engine.append([toLogWrite({ first: 11, last: 12, term: 4, vote: 1 })]);
    const opening = openImage({ ...image(), record: before.record }, directory.path);
    expect(opening).toMatchObject({ kind: "opened", log: { term: 4, vote: 1 } });
    if (opening.kind === "opened") expect(opening.log.terms).toHaveLength(12);
  });

  test("what is found beyond the record is recorded before the log is used", () => {
    const before = image();
    engine.append([toLogWrite({ first: 11, last: 12, term: 4, vote: 1 })]);
    engine.close();
    writeFileSync(highWaterPath(directory.dbPath), before.record);
    engine = LogEngine.open(directory.dbPath);
    expect(engine.highWater).toMatchObject({ term: 4, vote: 1, lastIndex: 12, lastTerm: 4 });
    const found = HighWaterFile.find(highWaterPath(directory.dbPath));
    expect(found).toMatchObject({ kind: "found", highWater: { lastIndex: 12 } });
  });

  test("the record before the log would be found out: it is never ahead", () => {
    const before = image();
    engine.append([toLogWrite({ first: 11, last: 12, term: 3, vote: 2 })]);
    const opening = openImage({ ...before, record: image().record }, directory.path);
    expect(opening).toMatchObject({ kind: "refused", error: { kind: "wiped" } });
  });
});

describe("a crash around the replacement of a suffix", () => {
  const replacement = toLogWrite({ first: 6, last: 7, term: 4, vote: 1 });

  function lowered(before: Image): Uint8Array {
    const record = loweredHighWater(engine.highWater, 6, 3);
    if (record === undefined) throw new Error("the record speaks of what is replaced");
    return recordAfter(before.record, record);
  }

  test("after the record was lowered, before the log's transaction: the old log is whole", () => {
    const before = image();
    const opening = openImage({ ...before, record: lowered(before) }, directory.path);
    expect(opening).toMatchObject({ kind: "opened", log: { terms: Array(10).fill(3) } });
  });

  test("after the log's transaction, before the record was raised: the new log is whole", () => {
    const before = image();
    const record = lowered(before);
    engine.append([replacement]);
    const opening = openImage({ ...image(), record }, directory.path);
    expect(opening).toMatchObject({ kind: "opened", log: { terms: [3, 3, 3, 3, 3, 4, 4] } });
  });

  test("after everything: the new log is whole, and the old one is not enough any more", () => {
    const before = image();
    engine.append([replacement]);
    const after = image();
    expect(openImage(after, directory.path)).toMatchObject({ kind: "opened" });
    // The old log is longer, but it lacks the entry of term 4 and the promise of that term.
    expect(openImage({ ...before, record: after.record }, directory.path)).toMatchObject({
      kind: "refused",
    });
  });

  test("the record is lowered before the transaction that replaces", () => {
    const bounded = scratchDirectory();
    const small = LogEngine.open(bounded.dbPath, { pagesMax: 16 });
    small.append([toLogWrite({ first: 1, last: 10, term: 3, vote: 2 })]);
    const { sequence } = small.highWater;
    const tooLarge = toLogWrite({ first: 6, last: 600, term: 4, vote: 1 });
    expect(() => small.append([tooLarge])).toThrow("full");
    expect(HighWaterFile.find(highWaterPath(bounded.dbPath))).toEqual({
      kind: "found",
      highWater: {
        sequence: sequence + 1,
        term: 3,
        vote: 2,
        lastIndex: 5,
        lastTerm: 3,
        identity: 0,
      },
    });
    const opening = openImage(takeImage(bounded.dbPath), directory.path);
    expect(opening).toMatchObject({ kind: "opened", log: { terms: Array(10).fill(3), term: 3 } });
    small.close();
    bounded.remove();
  });

  test("without lowering first, a healthy node would look wiped", () => {
    const before = image();
    engine.append([replacement]);
    expect(openImage({ ...image(), record: before.record }, directory.path)).toMatchObject({
      kind: "refused",
      error: { kind: "wiped" },
    });
  });

  test("a torn write of the lowered record leaves the one before, and the old log fits it", () => {
    const before = image();
    const record = lowered(before);
    for (let at = 0; at < record.length; at++) {
      // The first half of every changed byte's slot arrived, the rest did not.
      if (record[at] !== before.record[at] && at % 64 >= 32) record[at] = before.record[at] ?? 0;
    }
    expect(openImage({ ...before, record }, directory.path)).toMatchObject({ kind: "opened" });
  });
});

test("a change of the commit index alone costs no sync", () => {
  const before = image();
  for (let commit = 1; commit <= 10; commit++) {
    engine.append([{ hardState: { term: 3, vote: 2, commit }, entries: [] }]);
  }
  expect(image()).toEqual(before);
  expect(engine.state.hardState.commit).toBe(10);
  engine.append([{ hardState: undefined, entries: [modelEntry(11, 3)] }]);
  const found = LogEngine.open(restoreImage(image(), directory.path));
  expect(found.state.hardState).toEqual({ term: 3, vote: 2, commit: 10 });
  found.close();
});

describe("a crash while a node is new", () => {
  test.each(["wal", "main", "record"] as const)(
    "without its %s it starts over as new",
    (missing) => {
      const fresh = scratchDirectory();
      LogEngine.open(fresh.dbPath).close();
      const empty = { ...takeImage(fresh.dbPath), [missing]: new Uint8Array(0) };
      expect(openImage(empty, directory.path)).toMatchObject({
        kind: "opened",
        log: { terms: [], term: 0, vote: 0 },
      });
      fresh.remove();
    },
  );

  test("P9: an identity that was written and is gone is found out", () => {
    const fresh = scratchDirectory();
    const young = LogEngine.open(fresh.dbPath);
    const before = takeImage(fresh.dbPath);
    young.setIdentity({ serverUuid: "uuid", bootstrap: undefined });
    const afterUuid = takeImage(fresh.dbPath);
    young.setIdentity({ serverUuid: "uuid", bootstrap: new Uint8Array([1]) });
    const { record } = takeImage(fresh.dbPath);
    young.close();
    fresh.remove();
    for (const lost of [
      { ...before, record: afterUuid.record },
      { ...afterUuid, record },
    ]) {
      expect(openImage(lost, directory.path)).toMatchObject({
        kind: "refused",
        error: { kind: "wiped", message: expect.stringContaining("identity") },
      });
    }
    expect(openImage({ ...afterUuid, record: before.record }, directory.path)).toMatchObject({
      kind: "opened",
    });
  });
});

describe("recoveryVerdict", () => {
  const water: HighWater = {
    sequence: 9,
    term: 5,
    vote: 2,
    lastIndex: 10,
    lastTerm: 4,
    identity: 2,
  };
  const record: FoundRecord = { kind: "found", highWater: water };
  function logWith(changes: Partial<LogSummary>): LogSummary {
    return {
      term: 5,
      vote: 2,
      compactedIndex: 0,
      lastIndex: 10,
      identity: 2,
      termAt: () => 4,
      ...changes,
    };
  }

  test.each<[string, Partial<LogSummary>]>([
    ["the same log", {}],
    ["a longer log", { lastIndex: 12 }],
    ["a later term with no vote", { term: 6, vote: 0 }],
    [
      "a log that was compacted past the record",
      { compactedIndex: 11, lastIndex: 11, termAt: () => undefined },
    ],
    ["a log that was compacted up to the record", { compactedIndex: 10, lastIndex: 10 }],
  ])("%s is intact", (_, changes) => {
    expect(recoveryVerdict(record, logWith(changes))).toEqual({ kind: "intact" });
  });

  test.each<[string, Partial<LogSummary>]>([
    ["a shorter log", { lastIndex: 9 }],
    ["an earlier term", { term: 4 }],
    ["another vote in the same term", { vote: 3 }],
    ["no vote in the same term", { vote: 0 }],
    ["another entry at the last index", { termAt: () => 3 }],
    ["an unreadable entry at the last index", { termAt: () => undefined }],
    ["less of an identity", { identity: 1 }],
  ])("%s counts as wiped, and says why", (_, changes) => {
    const verdict = recoveryVerdict(record, logWith(changes));
    expect(verdict.kind).toBe("wiped");
    if (verdict.kind === "wiped") expect(verdict.found.length).toBeGreaterThan(20);
  });

  test("a vote that was not given yet binds nothing", () => {
    const unvoted: FoundRecord = { kind: "found", highWater: { ...water, vote: 0 } };
    expect(recoveryVerdict(unvoted, logWith({ vote: 3 })).kind).toBe("intact");
  });
});

describe("the record's bytes", () => {
  const highWater: HighWater = {
    sequence: 2 ** 40 + 1,
    term: 2 ** 50,
    vote: 5,
    lastIndex: Number.MAX_SAFE_INTEGER,
    lastTerm: 2 ** 33,
    identity: 1,
  };

  test("survive the way to the disk and back", () => {
    expect(decodeHighWater(encodeHighWater(highWater))).toEqual(highWater);
  });

  test("every flipped bit is noticed", () => {
    const bytes = encodeHighWater(highWater);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decodeHighWater(damaged), `bit ${bit}`).toBeUndefined();
    }
  });

  test("the newest whole slot counts", () => {
    const older = encodeHighWater({ ...highWater, sequence: 6 });
    const newer = encodeHighWater({ ...highWater, sequence: 7, term: 8 });
    expect(newestHighWater([older, newer])).toMatchObject({ highWater: { sequence: 7 } });
    expect(newestHighWater([newer, older])).toMatchObject({ highWater: { sequence: 7 } });
    expect(newestHighWater([older, newer.slice(1)])).toMatchObject({ highWater: { sequence: 6 } });
    expect(newestHighWater([new Uint8Array(64), new Uint8Array(0)])).toEqual({
      kind: "unreadable",
    });
  });

  test("nothing is written where nothing changed", () => {
    expect(raisedHighWater(highWater, highWater)).toBeUndefined();
    expect(loweredHighWater({ ...highWater, lastIndex: 5 }, 6, 1)).toBeUndefined();
  });
});
