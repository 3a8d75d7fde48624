// Search: what fits a query is found, exactly that, and only by who may see it; however far the index is.
import { DatabaseSync } from "node:sqlite";
import { LIMITS, SearchRequest, SearchResponse } from "@parley/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Actor,
  ChatMachine,
  ChatReader,
  deleteCommand,
  deleteRoomCommand,
  editCommand,
  joinRoomCommand,
  leaveRoomCommand,
  mentionsIn,
  openDirectCommand,
  pinCommand,
  reactCommand,
  removeMemberCommand,
  sendCommand,
} from "../src/index.ts";
import { arbitraryCuts, arbitraryLog, asEntries, cut } from "./arbitrary-log.ts";
import { HOUR_MS, START_MS, World } from "./world.ts";

function ask(db: DatabaseSync, accountId: number, fields: Partial<SearchRequest>) {
  const request = SearchRequest.encode(SearchRequest.fromPartial(fields)).finish();
  const query = {
    kind: "operation",
    operation: "search",
    request,
    accountId,
    sessionId: 0,
  } as const;
  const answer = new ChatReader(db).read(query);
  if (answer.kind === "refused") return answer.error;
  if (answer.kind !== "response") throw new Error(`the search is ${answer.kind}`);
  return SearchResponse.decode(answer.response);
}

function pageOf(db: DatabaseSync, accountId: number, fields: Partial<SearchRequest>) {
  const answer = ask(db, accountId, fields);
  if ("reason" in answer) throw new Error(answer.message);
  return answer;
}

/** All pages of a search together. */
function hitsOf(db: DatabaseSync, accountId: number, query: string, pageSize = 50) {
  const hits: SearchResponse["hits"] = [];
  for (let pageToken = "", pages = 0; pages < 1_000; pages += 1) {
    const page = pageOf(db, accountId, { query, pageSize, pageToken });
    hits.push(...page.hits);
    pageToken = page.nextPageToken;
    if (pageToken === "") return hits;
  }
  throw new Error("the pages have no end");
}

function bodiesOf(world: World, { accountId }: Actor, query: string): string[] {
  return hitsOf(world.db, accountId, query).map(({ message }) => message?.body ?? "");
}

function reasonOf(world: World, { accountId }: Actor, query: string): string {
  const answer = ask(world.db, accountId, { query });
  return "reason" in answer ? answer.reason : "ok";
}

function trio() {
  const world = new World();
  const anna = world.register("anna");
  const bob = world.register("bob");
  const carol = world.register("carol");
  const roomId = world.room(anna, "General");
  world.ok(joinRoomCommand({ roomId, requestId: world.id() }, bob));
  world.upgrade();
  return { world, anna, bob, carol, roomId };
}

test("words, phrases, beginnings; letter case and accents do not matter; the newest first", () => {
  const { world, anna, bob, roomId } = trio();
  world.send(anna, roomId, "The Café is open");
  world.send(bob, roomId, "is the cafe open?");
  world.send(anna, roomId, "opening hours of the café-bar");
  for (const isIndexed of [false, true]) {
    if (isIndexed) world.machine.index();
    expect(bodiesOf(world, bob, "CAFE")).toEqual([
      "opening hours of the café-bar",
      "is the cafe open?",
      "The Café is open",
    ]);
    expect(bodiesOf(world, bob, "is open cafe")).toHaveLength(2);
    expect(bodiesOf(world, bob, '"cafe open"')).toEqual(["is the cafe open?"]);
    expect(bodiesOf(world, bob, "cafe-bar")).toEqual(["opening hours of the café-bar"]);
    expect(bodiesOf(world, bob, "open*")).toHaveLength(3);
    expect(bodiesOf(world, bob, "ope")).toEqual([]);
    expect(bodiesOf(world, bob, "r4")).toEqual([]);
  }
});

test("a hit says where the words are, in UTF-16 code units", () => {
  const { world, anna, roomId } = trio();
  const body = "👍 Café, and two words: two\u0301 words";
  world.send(anna, roomId, body);
  const marked = (query: string) =>
    hitsOf(world.db, anna.accountId, query)[0]?.ranges.map(({ start, end }) =>
      body.slice(start, end),
    );
  expect(marked("cafe and")).toEqual(["Café", "and"]);
  expect(marked('"two words"')).toEqual(["two words", "two\u0301 words"]);
  expect(marked("wor* from:anna")).toEqual(["words", "words"]);
  expect(marked("from:anna")).toEqual([]);
  world.send(anna, roomId, "marks \ufdd0 of \ufdd1 one's own");
  expect(hitsOf(world.db, anna.accountId, "marks")[0]?.ranges).toEqual([]);
  world.send(anna, roomId, "many ".repeat(100));
  expect(hitsOf(world.db, anna.accountId, "many")[0]?.ranges).toHaveLength(LIMITS.searchRangesMax);
});

test("filters: who, where, when, and what a message has", () => {
  const { world, anna, bob, carol, roomId } = trio();
  const attic = world.room(bob, "The Attic");
  world.ok(openDirectCommand({ requestId: world.id() }, anna, bob.accountId));
  const direct = world.revision;
  world.send(anna, roomId, "one https://example.org/path");
  world.send(bob, attic, "two");
  world.send(bob, direct, "three");
  world.nowMs += 24 * HOUR_MS;
  world.send(bob, roomId, "four", {});
  const mentions = mentionsIn("five @anna", world.admission);
  const parts = {
    roomId,
    replyToSeq: 0,
    threadRootSeq: 0,
    clientMessageId: "five",
    afterClientMessageId: "",
    clientFileIds: [],
  };
  world.ok(sendCommand({ ...parts, body: "five @anna" }, bob, mentions));
  world.ok(pinCommand({ roomId, seq: 2, pinned: true, requestId: world.id() }, anna));
  const reaction = { roomId, seq: 1, emoji: "👍", add: true, requestId: world.id() };
  world.ok(reactCommand(reaction, bob));
  const day = new Date(START_MS).toISOString().slice(0, 10);
  for (const isIndexed of [false, true]) {
    if (isIndexed) world.machine.index();
    expect(bodiesOf(world, bob, "from:@anna")).toEqual(["one https://example.org/path"]);
    expect(bodiesOf(world, bob, "from:ANNA from:bob")).toHaveLength(5);
    expect(bodiesOf(world, bob, 'in:"the attic"')).toEqual(["two"]);
    expect(bodiesOf(world, bob, "in:@anna")).toEqual(["three"]);
    expect(bodiesOf(world, bob, "in:#general from:bob")).toEqual(["five @anna", "four"]);
    expect(bodiesOf(world, bob, 'in:@anna in:"The Attic"')).toEqual(["three", "two"]);
    expect(bodiesOf(world, bob, "has:link")).toEqual(["one https://example.org/path"]);
    expect(bodiesOf(world, bob, "has:pin")).toEqual(["four"]);
    expect(bodiesOf(world, bob, "has:reaction one")).toHaveLength(1);
    expect(bodiesOf(world, anna, "has:mention")).toEqual(["five @anna"]);
    expect(bodiesOf(world, bob, "has:mention")).toEqual([]);
    expect(bodiesOf(world, bob, `after:${day}`)).toEqual(["five @anna", "four"]);
    expect(bodiesOf(world, bob, `before:${day}`)).toEqual([]);
    const next = new Date(START_MS + 24 * HOUR_MS).toISOString().slice(0, 10);
    expect(bodiesOf(world, bob, `before:${next} t*`.replace("t*", "tw*"))).toEqual(["two"]);
    // Carol is in no room; a public one's messages may be read before joining, where she names it.
    expect(bodiesOf(world, carol, "one")).toEqual([]);
    expect(bodiesOf(world, carol, "one in:General")).toHaveLength(1);
  }
  expect(reasonOf(world, carol, "in:@bob")).toBe("ROOM_NOT_FOUND");
  expect(reasonOf(world, bob, "in:nowhere")).toBe("ROOM_NOT_FOUND");
  expect(reasonOf(world, bob, "from:nobody")).toBe("ACCOUNT_NOT_FOUND");
  expect(reasonOf(world, bob, `from:${"x".repeat(500)}`)).toBe("ACCOUNT_NOT_FOUND");
  expect(reasonOf(world, bob, "has:fire")).toBe("INVALID_ARGUMENT");
});

test("what one may no longer see is no longer found: edited, deleted, left, kicked, banned, room deleted", () => {
  const { world, anna, bob, roomId } = trio();
  const secret = world.room(anna, "Secret", 2);
  world.send(bob, roomId, "early words");
  world.send(bob, roomId, "late words");
  world.send(anna, secret, "secret words");
  world.machine.index();
  expect(bodiesOf(world, bob, "words")).toEqual(["late words", "early words"]);
  expect(reasonOf(world, bob, "in:Secret")).toBe("ROOM_NOT_FOUND");
  const edit = { roomId, seq: 2, body: "other text", expectedVersion: 0, requestId: world.id() };
  world.ok(editCommand(edit, bob));
  world.ok(deleteCommand({ roomId, seqs: [1], requestId: world.id() }, bob));
  for (const isIndexed of [false, true]) {
    if (isIndexed) world.machine.index();
    expect(bodiesOf(world, bob, "words")).toEqual([]);
    expect(bodiesOf(world, bob, "text")).toEqual(["other text"]);
  }
  const kick = { roomId, username: "bob", ban: false, requestId: world.id() };
  world.ok(removeMemberCommand(kick, anna, bob.accountId));
  expect(bodiesOf(world, bob, "text")).toEqual([]);
  // It is a public room, and its history too may be read again.
  expect(bodiesOf(world, bob, "text in:General")).toEqual(["other text"]);
  world.ok(removeMemberCommand({ ...kick, ban: true, requestId: world.id() }, anna, bob.accountId));
  expect(reasonOf(world, bob, "text in:General")).toBe("BANNED");
  world.ok(deleteRoomCommand({ roomId, requestId: world.id() }, anna));
  expect(bodiesOf(world, anna, "text")).toEqual([]);
  expect(bodiesOf(world, anna, "words")).toEqual(["secret words"]);
  const leave = leaveRoomCommand({ roomId: secret, requestId: world.id() }, anna);
  if (world.reason(leave) === "ok") expect(bodiesOf(world, anna, "words")).toEqual([]);
});

test("a deleted message's words leave the file with the next slice of the index", () => {
  const { world, anna, roomId } = trio();
  const has = (text: string) => Buffer.from(world.db.serialize()).includes(text);
  world.db.exec("PRAGMA secure_delete = ON");
  for (let n = 0; n < 40; n += 1) world.send(anna, roomId, `ordinary talk ${n}`);
  world.send(anna, roomId, "the xylophone");
  world.machine.index();
  expect(has("xylophone")).toBe(true);
  world.ok(deleteCommand({ roomId, seqs: [41], requestId: world.id() }, anna));
  expect(world.machine.indexingDue).toBe(true);
  world.machine.index();
  expect(world.machine.indexingDue).toBe(false);
  expect(has("xylophone")).toBe(false);
  expect(bodiesOf(world, anna, "talk")).toHaveLength(40);
});

test("pages continue where the last one ended, whatever is written meanwhile; a token fits its search alone", () => {
  const { world, anna, bob, roomId } = trio();
  for (let n = 1; n <= 7; n += 1) world.send(anna, roomId, `message ${n}`);
  world.machine.index();
  for (let n = 8; n <= 10; n += 1) world.send(anna, roomId, `message ${n}`);
  const seqs = (page: SearchResponse) => page.hits.map(({ message }) => message?.seq);
  const first = pageOf(world.db, anna.accountId, { query: "message", pageSize: 4 });
  expect(seqs(first)).toEqual([10, 9, 8, 7]);
  world.send(anna, roomId, "message 11");
  const fields = { query: "message", pageSize: 6, pageToken: first.nextPageToken };
  const second = pageOf(world.db, anna.accountId, fields);
  expect(seqs(second)).toEqual([6, 5, 4, 3, 2, 1]);
  expect(second.nextPageToken).toBe("");
  const refusal = (accountId: number, more: Partial<SearchRequest>) => {
    const answer = ask(world.db, accountId, { ...fields, ...more });
    return "reason" in answer ? answer.reason : "ok";
  };
  expect(refusal(anna.accountId, {})).toBe("ok");
  expect(refusal(bob.accountId, {})).toBe("INVALID_ARGUMENT");
  expect(refusal(anna.accountId, { query: "messages" })).toBe("INVALID_ARGUMENT");
  expect(refusal(anna.accountId, { pageToken: "7" })).toBe("INVALID_ARGUMENT");
  expect(refusal(anna.accountId, { pageSize: 51 })).toBe("INVALID_ARGUMENT");
});

test("P11: a page looks at so many messages and no more, and the search goes on with the next one", () => {
  const { world, anna, bob, roomId } = trio();
  const alone = world.room(bob, "Alone");
  world.send(anna, roomId, "needle");
  const bytes = world.sendOf(bob, alone, "hay");
  for (let n = 0; n < 5_100; n += 1)
    world.apply({
      ...bytes,
      op: {
        ...bytes.op,
        value: { ...bytes.op?.value, clientMessageId: `h${n}` },
      } as typeof bytes.op,
    });
  const page = pageOf(world.db, bob.accountId, { query: "needle" });
  expect(page.hits).toEqual([]);
  expect(page.nextPageToken).not.toBe("");
  expect(bodiesOf(world, bob, "needle")).toEqual(["needle"]);
  while (world.machine.indexingDue) world.machine.index();
  expect(pageOf(world.db, bob.accountId, { query: "needle" })).toMatchObject({
    nextPageToken: "",
    hits: [{ message: { body: "needle" } }],
  });
  // What everybody says, where the searcher is not.
  expect(pageOf(world.db, anna.accountId, { query: "hay" })).toMatchObject({
    hits: [],
    nextPageToken: "",
  });
});

test("a file that a program without an index has written gets one, whole, in slices", () => {
  const { world, anna, roomId } = trio();
  for (let n = 1; n <= 600; n += 1) world.send(anna, roomId, `message ${n}`);
  while (world.machine.indexingDue) world.machine.index();
  // As such a program leaves it: what it applies is not noted.
  const kept = world.db.prepare("SELECT search_indexed, search_followed FROM meta").get();
  world.ok(deleteCommand({ roomId, seqs: [1], requestId: world.id() }, anna));
  const edit = { roomId, seq: 2, body: "edited", expectedVersion: 0, requestId: world.id() };
  world.ok(editCommand(edit, anna));
  world.send(anna, roomId, "message 601");
  world.db.exec(
    `UPDATE meta SET search_indexed = ${kept?.search_indexed}, search_followed = ${kept?.search_followed};
     DELETE FROM search_changed`,
  );
  world.machine = ChatMachine.open(world.db);
  const check = () => {
    expect(bodiesOf(world, anna, "message")).toHaveLength(599);
    expect(bodiesOf(world, anna, "message 2")).toEqual([]);
    expect(bodiesOf(world, anna, "edited")).toEqual(["edited"]);
  };
  check();
  world.send(anna, roomId, "another");
  check();
  let slices = 0;
  for (; world.machine.indexingDue; slices += 1) {
    world.machine.index();
    check();
    if (slices === 1) world.machine = ChatMachine.open(world.db);
  }
  expect(slices).toBeGreaterThan(1);
  // And one whose tables are older than the index.
  const older = new DatabaseSync(":memory:");
  older.deserialize(world.db.serialize());
  older.exec(`DROP TABLE search_index; DROP TABLE search_changed;
    ALTER TABLE meta DROP COLUMN search_indexed; ALTER TABLE meta DROP COLUMN search_followed`);
  const machine = ChatMachine.open(older);
  expect(machine.indexingDue).toBe(true);
  while (machine.indexingDue) {
    expect(hitsOf(older, anna.accountId, "message")).toHaveLength(599);
    machine.index();
  }
  expect(hitsOf(older, anna.accountId, "message")).toHaveLength(599);
  expect(machine.stateHash(0)).toEqual(world.machine.stateHash(0));
});

test("a copy carries the index, and goes on from it", () => {
  const { world, anna, roomId } = trio();
  for (let n = 1; n <= 300; n += 1) world.send(anna, roomId, `message ${n}`);
  world.machine.index();
  const copy = new DatabaseSync(":memory:");
  copy.deserialize(world.db.serialize());
  const machine = ChatMachine.open(copy);
  expect(machine.indexingDue).toBe(false);
  expect(copy.prepare("SELECT search_indexed AS n FROM meta").get()?.n).toBeGreaterThan(250);
  const entries = world.log.slice();
  world.send(anna, roomId, "one more");
  machine.apply(world.log.slice(entries.length));
  expect(hitsOf(copy, anna.accountId, "one more")).toHaveLength(1);
  machine.index();
  expect(hitsOf(copy, anna.accountId, "one more")).toHaveLength(1);
});

// ---- Against a naive scan ------------------------------------------------------------------------

interface Plain {
  readonly id: number;
  readonly roomId: number;
  readonly author: string;
  readonly words: readonly string[];
  readonly hasReaction: boolean;
  readonly isPinned: boolean;
  readonly hasFiles: boolean;
  readonly mentioned: readonly number[];
}

/** Everything that an account may search, the newest first, straight from the tables. */
function scan(db: DatabaseSync, accountId: number): Plain[] {
  const rows = db
    .prepare(
      `SELECT m.id, m.room_id, a.username_key, m.body, m.reactions, m.pinned_revision, m.attachments FROM messages m
       JOIN accounts a ON a.id = m.author_id JOIN rooms r ON r.id = m.room_id
       JOIN members w ON w.room_id = m.room_id AND w.account_id = ?
       WHERE m.deleted = 0 AND r.deleted = 0 AND w.role <> 0 ORDER BY m.id DESC`,
    )
    .all(accountId);
  const mentions = db.prepare("SELECT account_id FROM mentions WHERE message_id = ?");
  return rows.map((row) => ({
    id: Number(row.id),
    roomId: Number(row.room_id),
    author: String(row.username_key),
    words: String(row.body)
      .toLowerCase()
      .split(/[^a-z]+/),
    hasReaction: row.reactions !== null,
    isPinned: Number(row.pinned_revision) > 0,
    hasFiles: row.attachments !== null,
    mentioned: mentions.all(Number(row.id)).map((mention) => Number(mention.account_id)),
  }));
}

type Oracle = (message: Plain, accountId: number) => boolean;
const ORACLES: readonly (readonly [string, Oracle])[] = [
  ["hello", ({ words }) => words.includes("hello")],
  ["you HOW", ({ words }) => words.includes("how") && words.includes("you")],
  ['"are how"', () => false],
  ['"how are"', ({ words }) => words.join(" ").includes("how are")],
  ["hel*", ({ words }) => words.some((word) => word.startsWith("hel"))],
  ["hello again", ({ words }) => words.includes("hello") && words.includes("again")],
  ["from:anna", ({ author }) => author === "anna"],
  ["from:bob bet*", ({ author, words }) => author === "bob" && words.includes("better")],
  ["has:reaction", ({ hasReaction }) => hasReaction],
  ["has:pin hello", ({ isPinned, words }) => isPinned && words.includes("hello")],
  ["has:mention", ({ mentioned }, id) => mentioned.includes(id) || mentioned.includes(0)],
  ["has:file", ({ hasFiles }) => hasFiles],
  ["has:link", () => false],
];

test("the same as a naive scan finds, for everybody, after any log, however far the index is", () => {
  let found = 0;
  fc.assert(
    fc.property(
      arbitraryLog,
      arbitraryCuts,
      fc.array(fc.constantFrom("index", "reopen", "older", "nothing", "nothing"), { minLength: 1 }),
      fc.integer({ min: 1, max: 5 }),
      (commands, cuts, steps, pageSize) => {
        const db = new DatabaseSync(":memory:");
        let machine = ChatMachine.open(db);
        for (const [at, batch] of cut(asEntries(commands), cuts).entries()) {
          const step = steps[at % steps.length];
          const before = db.prepare("SELECT search_followed AS n FROM meta").get()?.n;
          machine.apply(batch);
          if (step === "index") machine.index();
          if (step === "older") {
            db.exec(`UPDATE meta SET search_followed = ${before}; DELETE FROM search_changed`);
          }
          if (step === "older" || step === "reopen") machine = ChatMachine.open(db);
        }
        for (const accountId of [1, 2, 3, 4]) {
          const messages = scan(db, accountId);
          for (const [query, oracle] of ORACLES) {
            const answer = ask(db, accountId, { query });
            if ("reason" in answer) {
              expect(["ACCOUNT_NOT_FOUND", "UNAUTHENTICATED"]).toContain(answer.reason);
              continue;
            }
            const ids = hitsOf(db, accountId, query, pageSize).map(({ message }) => message?.id);
            const due = messages.filter((message) => oracle(message, accountId));
            expect([accountId, query, ids]).toEqual([accountId, query, due.map(({ id }) => id)]);
            found += ids.length;
          }
        }
        expect(machine.recomputeHash()).toBe(machine.stateHash(0)?.hash);
      },
    ),
    { numRuns: 60 },
  );
  expect(found).toBeGreaterThan(500);
});
