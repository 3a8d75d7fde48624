// The full-text index beside the threads: made in the background, carried by copies, made for files that have none.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { SearchRequest, SearchResponse } from "@parley/protocol";
import { afterEach, expect, test } from "vitest";
import { hashAndSync } from "../src/copy-out.ts";
import { chatPath } from "../src/files.ts";
import { SqliteChatStore, SqliteLogStore } from "../src/index.ts";
import { chatEntries } from "./contract/chat-script.ts";
import { THREE_VOTERS } from "./contract/chat-store-contract.ts";
import { silentLogger } from "./fake-chat-store.ts";
import { type ScratchDirectory, scratchDirectory } from "./scratch-directory.ts";

const ALICE = { accountId: 2, sessionId: 2 };
const ENTRIES = chatEntries(1_200);

let closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.reverse()) await close();
  closing = [];
});

function scratch(): ScratchDirectory {
  const directory = scratchDirectory();
  closing.push(() => directory.remove());
  return directory;
}

async function openOn({ dbPath }: ScratchDirectory) {
  const log = new SqliteLogStore(dbPath);
  const { compactedIndex } = await log.open();
  const chat = new SqliteChatStore({ dbPath, owner: log, logger: silentLogger() });
  closing.push(() => log.close());
  closing.push(() => chat.close());
  await chat.open(THREE_VOTERS, compactedIndex);
  return { log, chat };
}

async function applyAll(chat: SqliteChatStore): Promise<void> {
  for (let at = 0; at < ENTRIES.length; at += 64) {
    await chat.apply({ entries: ENTRIES.slice(at, at + 64), confState: undefined });
  }
}

async function search(chat: SqliteChatStore, query: string): Promise<SearchResponse> {
  const request = SearchRequest.encode(SearchRequest.fromPartial({ query, pageSize: 50 })).finish();
  const answer = await chat.read({ kind: "operation", operation: "search", request, ...ALICE });
  if (answer.kind !== "response") throw new Error(JSON.stringify(answer));
  return SearchResponse.decode(answer.response);
}

/** Messages that the index has not got, as another connection sees it. */
function unindexed({ dbPath }: ScratchDirectory): number {
  const db = new DatabaseSync(chatPath(dbPath, 1), { readOnly: true });
  const row = db
    .prepare("SELECT count(*) AS n FROM messages WHERE id > (SELECT search_indexed FROM meta)")
    .get();
  db.close();
  return Number(row?.n);
}

/** What a program from before there was an index leaves. */
function withoutIndex(path: string): void {
  const db = new DatabaseSync(path);
  db.exec(`DROP TABLE search_index; DROP TABLE search_changed;
    ALTER TABLE meta DROP COLUMN search_indexed; ALTER TABLE meta DROP COLUMN search_followed`);
  db.close();
}

test("messages are found as soon as they are applied, and indexed in the background", async () => {
  const directory = scratch();
  const { chat } = await openOn(directory);
  await applyAll(chat);
  const found = await search(chat, "message revision 119*");
  expect(found.revision).toBe(ENTRIES.length);
  expect(found.hits[0]?.message?.id).toBe(1_199);
  expect(found.hits[0]?.ranges.length).toBeGreaterThan(4);
  await expect.poll(() => unindexed(directory)).toBeLessThan(256);
  expect(await search(chat, "message revision 119*")).toEqual(found);
});

test("a chat file without an index gets one while it serves", async () => {
  const directory = scratch();
  const first = await openOn(directory);
  await applyAll(first.chat);
  const found = await search(first.chat, '"revision 77"');
  expect(found.hits).toHaveLength(1);
  await first.chat.close();
  withoutIndex(chatPath(directory.dbPath, 1));
  await first.log.close();
  closing = [() => directory.remove()];
  const { chat } = await openOn(directory);
  expect(await search(chat, '"revision 77"')).toEqual(found);
  await expect.poll(() => unindexed(directory)).toBeLessThan(256);
  expect(await search(chat, '"revision 77"')).toEqual(found);
});

test("a copy from a program without an index is taken, and gets one", async () => {
  const [here, there] = [scratch(), scratch()];
  const from = await openOn(there);
  await applyAll(from.chat);
  const whole = await from.chat.copies.make("one");
  const { bytes } = await from.chat.copies.read("one", 0, whole.bytes);
  const path = join(there.path, "older");
  writeFileSync(path, bytes);
  withoutIndex(path);
  const head = { ...whole, ...hashAndSync(path) };
  const older = readFileSync(path);
  const { chat } = await openOn(here);
  await chat.copies.receive(head);
  await chat.copies.write(0, { bytes: older, crc32: crc32(older) });
  await chat.copies.finish(head);
  // The thread of the searches is there already.
  await expect(search(chat, "nothing")).rejects.toThrow("UNAUTHENTICATED");
  await chat.install(head, undefined);
  expect((await search(chat, '"revision 77"')).hits).toHaveLength(1);
  expect(await chat.stateHash(0)).toEqual(await from.chat.stateHash(0));
});
