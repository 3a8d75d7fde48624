import { type ChildProcess, spawn } from "node:child_process";
import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { item, outboxStoreContract } from "../test/outbox-store-contract.ts";
import { FileOutbox } from "./file-outbox.ts";
import type { OutboxItem } from "./ports.ts";

let folder = "";
let path = "";
const children: ChildProcess[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-outbox-"));
  path = join(folder, "deep", "outbox.jsonl");
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

/** Opens the file, looks, and closes it again. */
async function left(): Promise<readonly OutboxItem[]> {
  const store = new FileOutbox(path);
  const items = await store.open();
  await store.close();
  return items;
}

outboxStoreContract("file", () => new FileOutbox(path));

test("a torn last line was never acknowledged: it is cut off, and writing goes on after it", async () => {
  const store = new FileOutbox(path);
  await store.open();
  await store.put(item("a"));
  await store.close();
  const whole = await readFile(path);
  for (const torn of [whole.subarray(0, 20), whole.subarray(0, -1), Buffer.from("garbage\n")]) {
    await writeFile(path, Buffer.concat([whole, torn]));
    expect(await left()).toEqual([item("a")]);
    expect((await stat(path)).size).toBe(whole.length);
  }
  const again = new FileOutbox(path);
  await again.open();
  await again.put(item("b"));
  await again.close();
  expect(await left()).toEqual([item("a"), item("b")]);
});

test("a damaged line in the middle costs that message alone, and a copy is kept", async () => {
  const store = new FileOutbox(path);
  await store.open();
  for (const id of ["a", "b", "c"]) await store.put(item(id));
  await store.close();
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace("text of b", "tEXt of b"));
  const again = new FileOutbox(path);
  expect(await again.open()).toEqual([item("a"), item("c")]);
  expect(again.damagedLines).toBe(1);
  await again.close();
  expect(await readFile(`${path}.damaged`, "utf8")).toContain("tEXt of b");
  expect(await left()).toEqual([item("a"), item("c")]);
});

test("P11: the file is rewritten when most of it is of no use", async () => {
  const store = new FileOutbox(path);
  await store.open();
  const body = "x".repeat(16_000);
  await store.put(item("kept", body));
  for (let round = 0; round < 200; round++) {
    await store.put(item(`m${round}`, body));
    store.remove(`m${round}`);
  }
  await store.close();
  expect((await stat(path)).size).toBeLessThan(1.5 * 1024 * 1024);
  expect(await left()).toEqual([item("kept", body)]);
});

test("one process at a time, and one store in a process", async () => {
  const store = new FileOutbox(path);
  await store.open();
  await expect(new FileOutbox(path).open()).rejects.toMatchObject({ reason: "LIMIT_REACHED" });
  await store.close();
  expect(await left()).toEqual([]);
});

test("after closing, nothing is accepted", async () => {
  const store = new FileOutbox(path);
  await store.open();
  await store.close();
  await expect(store.put(item("late"))).rejects.toThrow("closed");
});

test("P1: every put that resolved is there after kill -9, and the dead owner's lock is taken over", async () => {
  const source = new URL("./file-outbox.ts", import.meta.url).href;
  const script = `
    import { FileOutbox } from ${JSON.stringify(source)};
    const store = new FileOutbox(process.argv[1]);
    await store.open();
    for (let n = 0; ; n++) {
      const item = { clientMessageId: "k" + n, clusterId: "c", accountId: 7, roomId: 1, body: "b" + n,
        replyToSeq: 0, queuedAtMs: 0 };
      await store.put(item);
      process.stdout.write("k" + n + "\\n");
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const exited = new Promise((resolve) => child.once("exit", resolve));
  if (child.stdout === null) throw new Error("no output to read");
  const acknowledged: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line);
    if (acknowledged.length === 25) child.kill("SIGKILL");
  }
  await exited;
  expect(acknowledged.length).toBeGreaterThanOrEqual(25);
  await appendFile(path, "0bad");
  const ids = (await left()).map(({ clientMessageId }) => clientMessageId);
  expect(ids.slice(0, acknowledged.length)).toEqual(acknowledged);
  // At most the one that was being written may be there without having been acknowledged.
  expect(ids.length).toBeLessThanOrEqual(acknowledged.length + 1);
});
