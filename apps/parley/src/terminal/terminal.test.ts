import type { ClientState } from "@parley/client";
import { type Event, Message, Room } from "@parley/protocol";
import { describe, expect, it } from "vitest";
import { eventually } from "../testing/running-server.ts";
import { keyboard, TinyTerminal } from "../testing/tiny-terminal.ts";
import { CHAT_COMMANDS, parseInput, splitFirst } from "./input.ts";
import { RoomBook } from "./room-book.ts";
import { PlainScreen, type ScreenEvents, TerminalScreen } from "./screen.ts";
import { plainStatusText, statusText } from "./status-text.ts";
import { rowsOf, textWidth, truncate } from "./width.ts";

describe("a line of input", () => {
  it("is a text, a command, or nothing", () => {
    expect(parseInput("hello  there ")).toEqual({ kind: "text", text: "hello  there " });
    expect(parseInput("   ")).toEqual({ kind: "nothing" });
    expect(parseInput("//etc/passwd")).toEqual({ kind: "text", text: "/etc/passwd" });
    expect(parseInput("/JOIN  lobby two ")).toEqual({
      kind: "command",
      name: "join",
      rest: "lobby two",
    });
    expect(parseInput("/dm ann two  spaces")).toMatchObject({ rest: "ann two  spaces" });
    expect(parseInput("/explode")).toEqual({ kind: "unknown", word: "explode" });
    expect(parseInput("/")).toEqual({ kind: "unknown", word: "" });
  });
  it("every command in the help is understood", () => {
    for (const { name, usage } of CHAT_COMMANDS) {
      expect(usage.startsWith(`/${name}`)).toBe(true);
      expect(parseInput(usage)).toMatchObject({ kind: "command", name });
    }
  });
  it("splits off its first word", () => {
    expect(splitFirst("3 some  words")).toEqual(["3", "some  words"]);
    expect(splitFirst("alone")).toEqual(["alone", ""]);
    expect(splitFirst("")).toEqual(["", ""]);
  });
});

describe("width of text", () => {
  it.each([
    ["", 0],
    ["plain", 5],
    ["é", 1],
    ["e\u0301", 1],
    ["漢字", 4],
    ["👍🏽", 2],
    ["👨‍👩‍👧", 2],
    ["\u001b[31mred\u001b[39m", 3],
  ])("%j takes %i columns", (text, width) => {
    expect(textWidth(text)).toBe(width);
  });
  it("is cut to fit", () => {
    expect(truncate("abcdef", 4)).toBe("abc…");
    expect(truncate("abcd", 4)).toBe("abcd");
    expect(truncate("漢字漢字", 5)).toBe("漢字…");
  });
  it("is counted in rows", () => {
    expect(rowsOf("one\ntwo", 10)).toBe(2);
    expect(rowsOf("x".repeat(25), 10)).toBe(3);
  });
});

describe("the status line", () => {
  const state = {
    ...{ phase: "online", connection: {}, nodeId: 3, address: "a:1", leaderId: 1, hasQuorum: true },
    ...{ staleMs: 0, clusterId: "c", nodes: [], signedIn: true, account: undefined },
    ...{ pendingSends: 0, revision: 1, clockOffsetMs: 0, problem: "", trouble: undefined },
  } as unknown as ClientState;
  const atMs = new Date("2026-01-02T12:00:10").getTime();
  const text = (change: Partial<ClientState>, unreadElsewhere = 0, typists: string[] = []) =>
    statusText({ state: { ...state, ...change }, atMs, username: "ann", unreadElsewhere, typists });
  it("names node, leader and state, and what waits", () => {
    expect(text({})).toBe(" ann · n3 · leader n1 · connected");
    expect(text({ phase: "connecting" }, 4)).toBe(
      " ann · n3 · leader n1 · reconnecting … · 4 unread elsewhere",
    );
    expect(text({ phase: "connecting", nodeId: 0, leaderId: 0, pendingSends: 2 })).toBe(
      " ann · no node yet · no leader · connecting … · 2 unsent",
    );
  });
  it("says who types in the open room, last", () => {
    expect(text({}, 1, ["bob"])).toMatch(/ · 1 unread elsewhere · bob is typing…$/);
    expect(text({}, 0, ["bob", "cat"])).toMatch(/ · bob and cat are typing…$/);
    expect(text({}, 0, ["bob", "cat", "dan"])).toMatch(/ · Several people are typing…$/);
  });
  it("P6: says from when read-only data is", () => {
    expect(text({ hasQuorum: false, staleMs: 10_000, leaderId: 0 })).toBe(
      " ann · n3 · no leader · read-only as of 12:00:00 (no majority)",
    );
    const plain = {
      state: { ...state, hasQuorum: false },
      atMs,
      username: "ann",
      unreadElsewhere: 0,
      typists: [],
    };
    expect(plainStatusText(plain)).toMatch(/^read-only on n3/);
  });
});

describe("the rooms that a chat knows", () => {
  const room = (id: number, fields: Partial<Room> = {}) =>
    Room.fromPartial({ id, name: `r${id}`, ...fields });
  let revision = 0;
  const event = (what: NonNullable<Event["event"]>): Event => {
    revision += 1;
    return { revision, event: what };
  };
  const message = (roomId: number, seq: number, authorId: number) =>
    event({
      $case: "message",
      value: Message.fromPartial({ id: seq, roomId, seq, revision: seq, authorId, body: "b" }),
    });

  it("count what is unread; what one wrote oneself is read", () => {
    const book = new RoomBook();
    book.load([room(1, { lastSeq: 5, readSeq: 2, unreadCount: 2 }), room(2)]);
    expect(book.unread(1)).toBe(2);
    book.apply(message(1, 5, 99), 7);
    expect(book.unread(1)).toBe(2);
    book.apply(message(1, 6, 99), 7);
    expect(book.unread(1)).toBe(3);
    book.apply(message(2, 1, 7), 7);
    expect(book.unread(2)).toBe(0);
    expect(book.waitingExcept(2)).toBe(3);
    const gone = message(1, 6, 99).event;
    if (gone?.$case !== "message") throw new Error("no message");
    const deleted = { ...gone.value, deleted: true };
    book.apply(event({ $case: "messageChanged", value: deleted }), 7);
    expect(book.unread(1)).toBe(2);
    book.apply(
      event({ $case: "readMarker", value: { roomId: 1, seq: 6, unreadCount: 0, mentionCount: 0 } }),
      7,
    );
    expect(book.waitingExcept(2)).toBe(0);
  });
  it("count a reply in a thread for who follows it", () => {
    const book = new RoomBook();
    const thread = { threadRootSeq: 2, readSeq: 5, unreadCount: 1, mentionCount: 0 };
    book.load([room(1, { lastSeq: 6, readSeq: 6, threads: [thread] })]);
    const reply = (seq: number, threadRootSeq: number) =>
      event({
        $case: "message",
        value: Message.fromPartial({ id: seq, roomId: 1, seq, threadRootSeq, authorId: 99 }),
      });
    book.apply(reply(7, 2), 7);
    book.apply(reply(8, 4), 7);
    expect(book.unread(1)).toBe(2);
    book.markRead(1, 8);
    expect(book.unread(1)).toBe(2);
  });
  it("come, change and go with events", () => {
    const book = new RoomBook();
    book.apply(event({ $case: "roomReset", value: { room: room(4) } }), 7);
    const changed = room(4, { name: "new name", topic: "t" });
    book.apply(event({ $case: "roomChanged", value: changed }), 7);
    expect(book.find("new name")).toMatchObject({ id: 4, topic: "t" });
    const removed = { roomId: 4, reason: 1, byAccountId: 7 } as const;
    book.apply(event({ $case: "roomRemoved", value: removed }), 7);
    expect(book.rooms).toEqual([]);
  });
  it("loaded late do not go back behind what events have told", () => {
    const book = new RoomBook();
    book.load([room(1)]);
    book.apply(message(1, 9, 99), 7);
    book.load([room(1, { lastSeq: 8 })]);
    expect(book.get(1)?.lastSeq).toBe(9);
    expect(book.unread(1)).toBe(1);
  });
});

describe("the screen", () => {
  const silent: ScreenEvents = {
    onLine: () => {},
    onTyping: () => {},
    onEnd: () => {},
    complete: () => [],
  };

  function open(columns: number, events = silent) {
    const terminal = new TinyTerminal(columns);
    const keys = keyboard();
    const screen = new TerminalScreen(
      keys as unknown as NodeJS.ReadStream,
      terminal as unknown as NodeJS.WriteStream,
      events,
    );
    screen.setStatus(" status");
    screen.setPrompt("lobby> ");
    return { terminal, keys, screen };
  }

  it("shows lines above a status line and the input, which stays as it was typed", async () => {
    const { terminal, keys, screen } = open(40);
    keys.write("half a li");
    await eventually("it is shown", () => terminal.lines.at(-1) === "lobby> half a li");
    screen.print("first line");
    screen.print("second line");
    screen.setStatus(" another status");
    expect(terminal.lines).toEqual([
      "first line",
      "second line",
      " another status",
      "lobby> half a li",
    ]);
    expect(terminal.beforeCursor).toBe("lobby> half a li");
    screen.close();
    expect(terminal.lines).toEqual(["first line", "second line"]);
  });

  it("keeps an input that wraps over several rows whole while lines come in", async () => {
    const { terminal, keys, screen } = open(30);
    const typed = "abcdefghij".repeat(7);
    keys.write(typed);
    await eventually("it is shown", () => terminal.lines.join("").includes(typed));
    for (let at = 0; at < 5; at += 1) screen.print(`line ${at}`);
    const rows = `lobby> ${typed}`.match(/.{1,30}/g) ?? [];
    const lines = ["line 0", "line 1", "line 2", "line 3", "line 4"];
    expect(terminal.lines).toEqual([...lines, " status", ...rows]);
    screen.close();
  });

  it("takes an entered line off the screen, for it comes back as a message", async () => {
    const entered: string[] = [];
    const { terminal, keys, screen } = open(30, {
      ...silent,
      onLine: (line: string) => void entered.push(line),
    });
    const typed = "0123456789".repeat(5);
    keys.write(`${typed}\r`);
    await eventually("it is entered", () => entered.length === 1);
    expect(entered).toEqual([typed]);
    expect(terminal.lines).toEqual([" status", "lobby>"]);
    screen.print("ann: the message");
    expect(terminal.lines).toEqual(["ann: the message", " status", "lobby>"]);
    screen.close();
  });

  it("breaks long lines between words, under where they begin", () => {
    const { terminal, screen } = open(30);
    screen.print("12:00 #1 ann: a message that is longer than a line");
    expect(terminal.lines).toEqual([
      "12:00 #1 ann: a message that",
      "        is longer than a line",
      " status",
      "lobby>",
    ]);
    screen.close();
  });

  it("sends what was pasted as one message", async () => {
    const entered: string[] = [];
    const { terminal, keys, screen } = open(40, {
      ...silent,
      onLine: (line: string) => void entered.push(line),
    });
    keys.write("see \u001b[200~one\ntwo\n\u001b[201~");
    await eventually("it is shown", () => terminal.lines.at(-1) === "lobby> see one↵two");
    keys.write("\r");
    await eventually("it is entered", () => entered.length > 0);
    expect(entered).toEqual(["see one\ntwo"]);
    expect(terminal.lines).toEqual([" status", "lobby>"]);
    screen.close();
  });

  it("the Tab key completes, or shows what there is", async () => {
    const complete = (text: string) =>
      ["/join", "/joke", "/quit"].filter((one) => one.startsWith(text));
    const { terminal, keys, screen } = open(40, { ...silent, complete });
    keys.write("/j\t");
    await eventually("as far as both agree", () => terminal.lines.at(-1) === "lobby> /jo");
    keys.write("\t");
    await eventually("both", () => terminal.lines.includes("/join  /joke"));
    expect(terminal.lines).toEqual(["/join  /joke", " status", "lobby> /jo"]);
    keys.write("i\t");
    await eventually("the one", () => terminal.beforeCursor === "lobby> /join ");
    screen.close();
  });

  it("cuts a status that is too long for the terminal", () => {
    const { terminal, screen } = open(20);
    screen.setStatus("x".repeat(50));
    expect(terminal.lines).toEqual([`${"x".repeat(18)}…`, "lobby>"]);
    screen.close();
  });

  it("Ctrl-C clears what is typed, and on an empty line ends", async () => {
    const ends: string[] = [];
    const onEnd = () => void ends.push("end");
    const { terminal, keys, screen } = open(30, { ...silent, onEnd });
    keys.write("oops");
    await eventually("it is shown", () => terminal.lines.at(-1) === "lobby> oops");
    keys.write("\u0003");
    await eventually("it is gone", () => terminal.lines.at(-1) === "lobby>");
    expect(ends).toEqual([]);
    keys.write("\u0003");
    await eventually("the end", () => ends.length === 1);
    screen.close();
  });

  it("without a terminal is plain lines, the status among them when it changes", async () => {
    const terminal = new TinyTerminal(200);
    const input = keyboard();
    const entered: string[] = [];
    let ended = false;
    const screen = new PlainScreen(input, terminal, {
      ...silent,
      onLine: (line) => void entered.push(line),
      onEnd: () => {
        ended = true;
      },
    });
    screen.setStatus("connected");
    screen.setStatus("connected");
    screen.print("a line");
    input.end("one\ntwo");
    await eventually("the end", () => ended);
    expect(entered).toEqual(["one", "two"]);
    expect(terminal.lines).toEqual(["-- connected", "a line"]);
  });
});
