// P1 and P9: torn and damaged files are detected and named; nothing but the original is ever served.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LogEngine } from "../../src/log-engine.ts";
import { type ScratchDirectory, scratchDirectory } from "../scratch-directory.ts";
import {
  type Image,
  lastIndexBySqlite,
  openImage,
  takeImage,
  withFlippedByte,
  withLength,
} from "./image.ts";
import { EMPTY_MODEL, type ModelLog, modelAfter, seededRandom, toLogWrite } from "./log-model.ts";

const seed = Math.trunc(Math.random() * 2 ** 31);
const random = seededRandom(seed);

let directory: ScratchDirectory;
/** Everything in it is acknowledged: some in the main file, more in the WAL. */
let image: Image;
/** As `image`, with a record of an earlier moment: the last appends were never acknowledged. */
let unacknowledgedTail: Image;
let model: ModelLog = EMPTY_MODEL;
let acknowledgedOfTail = 0;

beforeAll(() => {
  directory = scratchDirectory();
  const engine = LogEngine.open(directory.dbPath);
  engine.setIdentity({ serverUuid: "uuid", bootstrap: new Uint8Array([1]) });
  let lastIndex = 0;
  const append = (term: number, count: number): void => {
    const write = { first: lastIndex + 1, last: lastIndex + count, term, vote: 2 };
    engine.append([toLogWrite(write)]);
    model = modelAfter(model, write);
    lastIndex += count;
  };
  for (let round = 0; round < 40; round++) append(1 + (round >> 3), 10);
  engine.checkpoint();
  for (let round = 0; round < 40; round++) append(6 + (round >> 3), 1 + (round % 7));
  const { record } = takeImage(directory.dbPath);
  acknowledgedOfTail = lastIndex;
  for (let round = 0; round < 10; round++) append(11, 3);
  image = takeImage(directory.dbPath);
  unacknowledgedTail = { ...image, record };
  engine.close();
});
afterAll(() => directory.remove());

test("the pictures open whole when nothing is wrong with them", () => {
  for (const whole of [image, unacknowledgedTail]) {
    expect(openImage(whole, directory.path)).toEqual({
      kind: "opened",
      log: model,
      refusedReads: [],
    });
  }
});

describe("a torn tail of the write-ahead log", () => {
  test("P9: whatever acknowledged is missing, the log counts as wiped", () => {
    let refused = 0;
    for (let round = 0; round < 60; round++) {
      const torn = withLength(image, "wal", random(image.wal.byteLength));
      const opening = openImage(torn, directory.path);
      const survived = lastIndexBySqlite(torn, directory.path);
      if (survived === model.terms.length) {
        expect(opening, `seed ${seed}`).toMatchObject({ kind: "opened", log: model });
        continue;
      }
      refused += 1;
      expect(opening, `seed ${seed}`).toMatchObject({ kind: "refused", error: { kind: "wiped" } });
      if (opening.kind === "refused") expect(opening.error.message).toContain("n1.db");
    }
    expect(refused).toBeGreaterThan(30);
  });

  test("P1: a tail that was never acknowledged may go, and nothing before it", () => {
    const counts = { opened: 0, refused: 0 };
    for (let round = 0; round < 80; round++) {
      // Half of the cuts fall into the last tenth, where the unacknowledged tail is.
      const { byteLength } = unacknowledgedTail.wal;
      const cut =
        round % 2 === 0 ? random(byteLength) : byteLength - random(Math.ceil(byteLength / 10));
      const torn = withLength(unacknowledgedTail, "wal", cut);
      const opening = openImage(torn, directory.path);
      const survived = lastIndexBySqlite(torn, directory.path);
      counts[opening.kind] += 1;
      if (survived < acknowledgedOfTail) {
        expect(opening, `seed ${seed}`).toMatchObject({
          kind: "refused",
          error: { kind: "wiped" },
        });
      } else {
        expect(opening, `seed ${seed}`).toMatchObject({
          kind: "opened",
          log: { terms: model.terms.slice(0, survived) },
          refusedReads: [],
        });
      }
    }
    expect(counts.opened).toBeGreaterThan(10);
    expect(counts.refused).toBeGreaterThan(10);
  });
});

describe("a flipped byte", () => {
  test.each(["wal", "main"] as const)("in the %s file is detected, and never served", (file) => {
    const counts = { refusedAtOpen: 0, refusedReads: 0, harmless: 0 };
    for (let round = 0; round < 120; round++) {
      const at = random(image[file].byteLength);
      const damaged = withFlippedByte(image, file, at, 1 << random(8));
      const opening = openImage(damaged, directory.path);
      const where = `seed ${seed}, byte ${at} of the ${file} file`;
      if (opening.kind === "refused") {
        counts.refusedAtOpen += 1;
        expect(opening.error.kind, where).toBe("wiped");
        expect(opening.error.message, where).toContain("n1.db");
        continue;
      }
      // What opens has everything that was acknowledged, and serves it or names what is damaged.
      expect(opening.log, where).toMatchObject({ term: model.term, vote: model.vote });
      expect(opening.log.terms.length, where).toBe(model.terms.length);
      for (const [position, term] of opening.log.terms.entries()) {
        if (opening.refusedReads.includes(position + 1)) continue;
        expect(term, where).toBe(model.terms[position]);
      }
      if (opening.refusedReads.length > 0) counts.refusedReads += 1;
      else counts.harmless += 1;
    }
    expect(counts.refusedAtOpen + counts.refusedReads, JSON.stringify(counts)).toBeGreaterThan(50);
  });

  test("in the high-water record costs nothing: the other slot speaks, and the log is whole", () => {
    for (let round = 0; round < 60; round++) {
      const at = random(image.record.byteLength);
      const damaged = withFlippedByte(image, "record", at, 1 << random(8));
      expect(openImage(damaged, directory.path)).toMatchObject({ kind: "opened", log: model });
    }
  });
});

describe("missing files", () => {
  test.each([
    [
      "the raft file and its WAL",
      (whole: Image) => ({ ...whole, main: new Uint8Array(0), wal: new Uint8Array(0) }),
    ],
    ["the WAL", (whole: Image) => ({ ...whole, wal: new Uint8Array(0) })],
    ["the high-water record", (whole: Image) => ({ ...whole, record: new Uint8Array(0) })],
    ["a half of the record", (whole: Image) => ({ ...whole, record: whole.record.slice(0, 30) })],
  ])("P9: without %s the node counts as wiped", (_, remove) => {
    expect(openImage(remove(image), directory.path)).toMatchObject({
      kind: "refused",
      error: { kind: "wiped" },
    });
  });

  test("an older copy of the whole raft file under a newer record counts as wiped", () => {
    const checkpointedOnly = { ...image, wal: new Uint8Array(0) };
    const opening = openImage(checkpointedOnly, directory.path);
    expect(opening).toMatchObject({ kind: "refused", error: { kind: "wiped" } });
  });
});
