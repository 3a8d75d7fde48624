// What SQLite would do for each statement of the reader. They are compiled when they are first used, so they are noted where they are made.
import { expect, test, vi } from "vitest";
import { ChatReader } from "../src/index.ts";
import { World } from "./world.ts";

const noted = vi.hoisted(() => [] as string[]);

vi.mock("../src/database.ts", async (original) => {
  const real = await original<typeof import("../src/database.ts")>();
  const noting =
    (make: typeof real.prepare): typeof real.prepare =>
    (db, sql) => {
      noted.push(sql);
      return make(db, sql);
    };
  return { ...real, prepare: noting(real.prepare), prepareArrays: noting(real.prepareArrays) };
});

test("reading scans no table: every step of every statement uses an index", () => {
  const { db } = new World();
  noted.length = 0;
  new ChatReader(db);
  expect(noted.length).toBeGreaterThan(15);
  const scans: string[] = [];
  for (const sql of noted) {
    if (sql === "BEGIN" || sql === "COMMIT") continue;
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[];
    for (const { detail } of plan) {
      // The one row, and what FTS5 calls the use of its index.
      const isFine = detail === "SCAN meta" || /^SCAN \w+ VIRTUAL TABLE INDEX/.test(detail);
      if (!isFine && /SCAN|TEMP B-TREE/.test(detail)) scans.push(`${detail}: ${sql}`);
    }
  }
  expect(scans).toEqual([]);
});
