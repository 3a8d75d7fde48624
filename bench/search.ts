// `npm run bench:search`: how long searches take among a million messages, in a chat file that was filled through apply as a node fills
// it, read as a read thread reads it. A page of 20 hits each; what a thread hop and the network add is not in it.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { ChatReader, joinRoomCommand, stampCommand } from "@parley/chat";
import { Command, SearchRequest, SearchResponse } from "@parley/protocol";
import { World } from "../packages/chat/test/world.ts";
import { percentile, table } from "./stats.ts";

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "1000000" },
    samples: { type: "string", default: "40" },
  },
});
const messages = Number(values.messages);
const samples = Number(values.samples);
const [BATCH, ROOMS, ACCOUNTS, VOCABULARY] = [500, 64, 50, 60_000];
const BOUND_MS = 300;

/** The same texts in every run: words as common as in speech, 2 to 20 of them. */
let state = 1;
function random(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}
function word(rank: number): string {
  const letters = "etaoinshrdlu";
  let text = "";
  for (let left = rank + 1; left > 0; left = Math.floor(left / letters.length)) {
    text += letters[left % letters.length];
  }
  return `${text}${text.length < 3 ? "a" : ""}`;
}
const words = Array.from({ length: VOCABULARY }, (_, rank) => word(rank));
function text(): string {
  const length = 2 + Math.floor(random() * 19);
  const pick = () => words[Math.floor(Math.exp(random() * Math.log(VOCABULARY)) - 1)] ?? "";
  return Array.from({ length }, pick).join(" ");
}

const folder = mkdtempSync(join(tmpdir(), "parley-search-"));
try {
  const path = join(folder, "chat");
  const world = new World(path);
  world.db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON;
    PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 4000`);
  const accounts = Array.from({ length: ACCOUNTS }, (_, at) => world.register(`writer-${at}`));
  const [owner] = accounts;
  if (owner === undefined) throw new Error("no accounts");
  const rooms = Array.from({ length: ROOMS }, (_, at) => world.room(owner, `room-${at}`));
  for (const account of accounts.slice(1)) {
    for (const roomId of rooms) {
      world.ok(joinRoomCommand({ roomId, requestId: world.id() }, account));
    }
  }
  let applyMs = 0;
  let indexMs = 0;
  let longestSliceMs = 0;
  for (let sent = 0; sent < messages; ) {
    const first = world.revision + 1;
    const batch = Array.from({ length: Math.min(BATCH, messages - sent) }, (_, at) => {
      const actor = accounts[Math.floor(random() * ACCOUNTS)] ?? owner;
      const command = world.sendOf(actor, rooms[Math.floor(random() * ROOMS)] ?? 0, text());
      const bytes = stampCommand(Command.encode(command).finish(), world.nowMs + sent + at);
      return { index: first + at, term: 1, command: bytes };
    });
    const before = performance.now();
    world.machine.apply(batch);
    applyMs += performance.now() - before;
    sent += batch.length;
    while (world.machine.indexingDue) {
      const began = performance.now();
      world.machine.index();
      const tookMs = performance.now() - began;
      indexMs += tookMs;
      longestSliceMs = Math.max(longestSliceMs, tookMs);
    }
  }
  world.db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const perMessage = (ms: number) => `${((ms * 1_000) / messages).toFixed(1)} µs`;
  console.log(
    `${messages} messages, ${(statSync(path).size / 2 ** 20).toFixed(0)} MiB; each ${perMessage(applyMs)} to apply in batches of ${BATCH} and ` +
      `${perMessage(indexMs)} to index in slices, the longest ${longestSliceMs.toFixed(0)} ms`,
  );

  const reader = new ChatReader(new DatabaseSync(path, { readOnly: true }));
  const actor = accounts[1] ?? owner;
  const search = (query: string, pageToken = "") => {
    const fields = SearchRequest.fromPartial({ query, pageToken });
    const request = SearchRequest.encode(fields).finish();
    const answer = reader.read({ kind: "operation", operation: "search", request, ...actor });
    if (answer.kind !== "response") throw new Error(JSON.stringify(answer));
    return SearchResponse.decode(answer.response);
  };
  const common = words[0] ?? "";
  const other = words[3] ?? "";
  const rare = (at: number) => words[VOCABULARY - 1 - at * 17] ?? "";
  const cases: readonly (readonly [string, (at: number) => string])[] = [
    ["a rare word", rare],
    ["a common word", () => common],
    ["two common words", () => `${common} ${other}`],
    ["a common and a rare word", (at) => `${common} ${rare(at)}`],
    ["from: alone", (at) => `from:@writer-${at % ACCOUNTS}`],
    ["a common word from:", (at) => `${common} from:@writer-${at % ACCOUNTS}`],
    ["a rare word in:", (at) => `${rare(at)} in:#room-${at % ROOMS}`],
    ["a beginning of three letters", (at) => `${words[200 + at]?.slice(0, 3)}*`],
    ["a beginning of two letters", (at) => `${words[20 + at]?.slice(0, 2)}*`],
    ["a phrase of common words", () => `"${common} ${other}"`],
    ["a phrase that nobody says", () => `"${`${common} `.repeat(12)}"`],
    ["nothing", () => "qqqq"],
  ];
  const rows = cases.map(([what, query]) => {
    const times: number[] = [];
    let hits = 0;
    for (let at = 0; at < samples; at += 1) {
      const before = performance.now();
      hits += search(query(at)).hits.length;
      times.push(performance.now() - before);
    }
    times.sort((x, y) => x - y);
    const [middle, worst] = [percentile(times, 0.5), percentile(times, 0.99)];
    const hitsEach = (hits / samples).toFixed(1);
    return [what, middle.toFixed(1), worst.toFixed(1), String(BOUND_MS), hitsEach];
  });
  console.log(table(["search", "p50 ms", "p99 ms", "bound ms", "hits"], rows));
} finally {
  rmSync(folder, { recursive: true });
}
