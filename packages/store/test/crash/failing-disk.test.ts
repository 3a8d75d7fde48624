// A disk that refuses a sync or a write: the store stops at the first failure, retries nothing, and
// what it had acknowledged is there afterwards (P1). strace makes the system calls fail.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SqliteLogStore } from "../../src/index.ts";
import { type ScratchDirectory, scratchDirectory } from "../scratch-directory.ts";
import { startChild } from "./child.ts";
import { whyNoTrace } from "./strace.ts";

let directory: ScratchDirectory;
beforeEach(() => {
  directory = scratchDirectory();
});
afterEach(() => directory.remove());

describe("a disk that fails", () => {
  const missing = whyNoTrace();

  test.for<readonly [name: string, file: string, inject: string]>([
    ["every sync of the log from the 12th on", "n1.db-wal", "fsync,fdatasync:error=EIO:when=12+"],
    ["one sync of the log, and none after it", "n1.db-wal", "fsync,fdatasync:error=EIO:when=12"],
    ["one write to the log", "n1.db-wal", "pwrite64:error=EIO:when=60"],
    ["one write of the record", "n1.db-highwater", "pwrite64:error=EIO:when=12"],
    [
      "one write of the record, for lack of room",
      "n1.db-highwater",
      "pwrite64:error=ENOSPC:when=12",
    ],
  ])("P1: %s stops the store for good", async ([, file, inject], { skip }) => {
    skip(missing !== undefined, missing);
    const strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "signal=none"];
    strace.push("-P", `${directory.path}/${file}`, "-e", `inject=${inject}`);
    const args = [directory.dbPath, "1", "1", "FULL", "500"];
    const child = startChild("log-writer.ts", args, strace);
    expect(await child.ended, child.stderr()).toBe(1);

    const failedAt = child.lines.findIndex((line) => line.startsWith("failed "));
    expect(child.lines[failedAt]).toBe(`failed ${inject.includes("ENOSPC") ? "disk-full" : "io"}`);
    expect(child.lines.slice(failedAt + 1)).toEqual(["still-failed"]);
    const acks = child.lines.filter((line) => line.startsWith("ack "));
    expect(acks.length).toBeGreaterThan(0);
    expect(acks.length).toBeLessThan(100);

    const store = new SqliteLogStore(directory.dbPath);
    const { lastIndex, hardState } = await store.open();
    await store.close();
    const [, lastAcknowledged = 0, term = 0] = acks.at(-1)?.split(" ").slice(1).map(Number) ?? [];
    expect(hardState.term).toBeGreaterThanOrEqual(term);
    if (hardState.term === term) expect(lastIndex).toBeGreaterThanOrEqual(lastAcknowledged);
  });
});
