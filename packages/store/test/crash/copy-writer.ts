// A process that goes through every phase of copies until it is killed: appends and applies on a first node,
// compacts its log, copies its chat file, sends the copy to a second node and installs it there.
// Arguments: db_path of the first, db_path of the second.
import { writeSync } from "node:fs";
import { SqliteChatStore, SqliteLogStore } from "../../src/index.ts";
import { fakeChat, silentLogger } from "../fake-chat-store.ts";
import { THREE } from "./copy-model.ts";

const [fromPath = "", toPath = ""] = process.argv.slice(2);
const PIECE = 4 * 1024;

async function open(dbPath: string) {
  const log = new SqliteLogStore(dbPath);
  const state = await log.open();
  const chat = new SqliteChatStore({
    dbPath,
    owner: log,
    logger: silentLogger(),
    module: fakeChat,
  });
  const { admission } = await chat.open(THREE, state.compactedIndex);
  return { log, chat, state, applied: admission.appliedIndex };
}

const from = await open(fromPath);
const to = await open(toPath);
const behind = from.state.lastIndex - from.applied;
if (behind > 0) {
  const entries = await from.log.read(from.applied + 1, from.state.lastIndex + 1, 1e9);
  if ("damagedIndex" in entries) throw new Error(entries.found);
  await from.chat.apply({
    entries: entries.map(({ index, term, data }) => ({ index, term, command: data })),
    confState: undefined,
  });
}
let last = from.state.lastIndex;
say("open", last);
for (let round = 0; ; round++) {
  const entries = Array.from({ length: 40 }, (_, at) => ({
    type: "EntryNormal" as const,
    index: last + 1 + at,
    term: 1,
    data: new TextEncoder().encode(`${last + 1 + at} ${"·".repeat(200)}`),
  }));
  last += entries.length;
  await from.log.append({ hardState: { term: 1, vote: 1, commit: last }, entries });
  say("ack", last);
  await from.chat.apply({
    entries: entries.map(({ index, term, data }) => ({ index, term, command: data })),
    confState: undefined,
  });
  const durable = await from.chat.checkpoint();
  if (durable > 30) await from.log.compact(durable - 30);
  const copyId = `${process.pid}-${round}`;
  const head = await from.chat.copies.make(copyId);
  for (let at = await to.chat.copies.receive(head); at < head.bytes; at += PIECE) {
    const piece = await from.chat.copies.read(copyId, at, Math.min(PIECE, head.bytes - at));
    await to.chat.copies.write(at, piece);
  }
  await to.chat.copies.finish(head);
  await to.chat.install(head, { term: 1, vote: 1, commit: head.index });
  say("installed", head.index);
  await from.chat.copies.remove(copyId);
}

function say(what: string, index: number): void {
  writeSync(1, `${what} ${index}\n`);
}
