// P1, seen from outside: strace shows the sync before the acknowledgement leaves the process.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ScratchDirectory, scratchDirectory } from "../scratch-directory.ts";
import { startChild } from "./child.ts";
import { whyNoTrace } from "./strace.ts";
import { checkSyncBeforeAck, parseTrace, type TraceReport } from "./trace.ts";

const APPENDS = 40;

let directory: ScratchDirectory;
beforeEach(() => {
  directory = scratchDirectory();
});
afterEach(() => directory.remove());

async function traceAppends(
  synchronous: "FULL" | "OFF",
  concurrency = 1,
  count = APPENDS,
): Promise<TraceReport> {
  const output = join(directory.path, "trace");
  const strace = [
    ..."strace -f -y -qq -s 32 -e signal=none".split(" "),
    ..."-e trace=openat,write,pwrite64,pwritev,fsync,fdatasync -o".split(" "),
    output,
  ];
  const args = [directory.dbPath, "1", String(concurrency), synchronous, String(count)];
  const child = startChild("log-writer.ts", args, strace);
  expect(await child.ended, child.stderr()).toBe(0);
  return checkSyncBeforeAck(parseTrace(readFileSync(output, "utf8")));
}

describe("the system calls of an appending process", () => {
  const missing = whyNoTrace();

  test("P1: every acknowledgement leaves after the log's sync and the record", async ({ skip }) => {
    skip(missing !== undefined, missing);
    const report = await traceAppends("FULL");
    expect(report.violations).toEqual([]);
    expect(report.acks).toBe(APPENDS);
    expect(report.walSyncs).toBeGreaterThanOrEqual(APPENDS);
    expect(report.recordWrites).toBeGreaterThanOrEqual(APPENDS);
  });

  test("group commit: appends that arrive together share a sync", async ({ skip }) => {
    skip(missing !== undefined, missing);
    const report = await traceAppends("FULL", 32, 320);
    expect(report.acks).toBe(320);
    expect(report.walSyncs).toBeLessThan(80);
    expect(report.recordWrites).toBeLessThan(80);
  });

  test("the same check fails with synchronous = OFF", async ({ skip }) => {
    skip(missing !== undefined, missing);
    const report = await traceAppends("OFF");
    expect(report.acks).toBe(APPENDS);
    const unsynced = report.violations.filter((text) => text.includes("before the log was synced"));
    expect(unsynced.length).toBeGreaterThanOrEqual(APPENDS);
  });
});

describe("the check itself", () => {
  const open = '9 openat(AT_FDCWD, "/d/n1.db-highwater", O_RDWR|O_DSYNC) = 20</d/n1.db-highwater>';
  const wal = '9 pwrite64(18</d/n1.db-wal>, "x"..., 24, 0) = 24';
  const sync = "9 fdatasync(18</d/n1.db-wal>) = 0";
  const record = '9 pwrite64(20</d/n1.db-highwater>, "1PHW"..., 64, 0) = 64';
  const ack = '7 write(1<pipe:[5]>, "ack 1 2 1 2\\n", 12) = 12';

  function violations(...lines: string[]): readonly string[] {
    return checkSyncBeforeAck(parseTrace(lines.join("\n"))).violations;
  }

  test("accepts the right order, also of calls that strace split", () => {
    expect(violations(open, wal, sync, record, ack)).toEqual([]);
    const begun = "9 fdatasync(18</d/n1.db-wal> <unfinished ...>";
    const resumed = "9 <... fdatasync resumed>) = 0";
    expect(violations(open, wal, begun, resumed, record, ack)).toEqual([]);
    expect(violations(open, wal, begun, record, ack, resumed)).not.toEqual([]);
  });

  test.each<[string, string[]]>([
    ["no sync", [open, wal, record, ack]],
    ["a sync after the acknowledgement", [open, wal, record, ack, sync]],
    ["a sync that failed", [open, wal, sync.replace("= 0", "= -1 EIO"), record, ack]],
    ["no record", [open, wal, sync, ack]],
    ["a record before the sync", [open, wal, record, sync, ack]],
    [
      "a record that is not written through",
      [open.replace("|O_DSYNC", ""), wal, sync, record, ack],
    ],
    ["nothing written at all", [open, ack]],
  ])("finds %s", (_, lines) => {
    expect(violations(...lines)).not.toEqual([]);
  });
});
