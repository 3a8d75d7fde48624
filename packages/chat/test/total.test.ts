// No command, however malformed, stops a node or leaves a trace; what must stop one does.

import { DatabaseSync } from "node:sqlite";
import { Command } from "@parley/protocol";
import { expect, test } from "vitest";
import { COMMAND_BYTES_MAX } from "../src/check-command.ts";
import {
  ChatMachine,
  checkCommand,
  InvariantViolation,
  STATE_VERSION,
  stampCommand,
} from "../src/index.ts";
import { dump, START_MS, World } from "./world.ts";

const send = (value: object): Command =>
  Command.create({
    version: 1,
    accountId: 1,
    op: { $case: "send", value: { roomId: 3, body: "x", clientMessageId: "c", ...value } },
  } as never);

const invalid: [string, Command][] = [
  ["no operation", Command.create({ version: 1, accountId: 1 })],
  ["version 0", Command.create({ ...send({}), version: 0 } as never)],
  ["no account", Command.create({ ...send({}), accountId: 0 } as never)],
  ["an empty body", send({ body: "" })],
  ["a huge body", send({ body: "x".repeat(16_385) })],
  ["a huge body of wide characters", send({ body: "€".repeat(5_462) })],
  ["a NUL", send({ body: "a\0b" })],
  ["no message id", send({ clientMessageId: "" })],
  ["a long message id", send({ clientMessageId: "c".repeat(65) })],
  ["a control character in an id", send({ clientMessageId: "a\nb" })],
  ["room 0", send({ roomId: 0 })],
  ["a stamp at the end of time", Command.create({ ...send({}), stampMs: 2 ** 53 - 1 } as never)],
  [
    "a request id of another version",
    Command.create({
      version: 1,
      accountId: 1,
      requestId: "018f0000-0000-4000-8000-000000000000",
      op: { $case: "joinRoom", value: { roomId: 3 } },
    }),
  ],
  [
    "a visibility that is none",
    Command.create({
      version: 1,
      accountId: 1,
      requestId: "018f0000-0000-7000-8000-000000000000",
      op: {
        $case: "createRoom",
        value: { name: "a", nameKey: "a", visibility: 9 as never, topic: "" },
      },
    }),
  ],
];

test.each(invalid)("%s is refused before it is proposed, and by apply", (_, command) => {
  const world = new World();
  const anna = world.register("anna");
  world.register("bob");
  world.room(anna, "General");
  expect(checkCommand(command)).toBeDefined();
  const bytes = Command.encode(command).finish();
  expect(checkCommand(bytes)).toBeDefined();
  const before = dump(world.db);
  const { outcome, deliveries, changes } = world.applyBytes(bytes);
  expect(outcome.kind).toBe("refused");
  expect([deliveries, changes]).toEqual([[], []]);
  const applied = (text: string): string =>
    text.replace(/"(applied_index|checksum|search_followed)":\d+/g, "");
  expect(applied(dump(world.db))).toBe(applied(before));
});

test("text that UTF-8 can't carry is refused before it is encoded", () => {
  expect(checkCommand(send({ body: "\ud800" }))?.reason).toBe("MALFORMED");
  expect(checkCommand(send({ clientMessageId: "\udc00" }))?.reason).toBe("MALFORMED");
});

test("bytes that are no command are refused: cut short, wrong types, invalid UTF-8, beyond 2^53", () => {
  const world = new World();
  world.register("anna");
  const good = Command.encode(send({ body: "hello" })).finish();
  const notUtf8 = good.map((byte) => (byte === "h".charCodeAt(0) ? 0xff : byte));
  const beyond = Uint8Array.from([8, 1, 24, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
  for (const bytes of [good.slice(0, good.length - 3), notUtf8, beyond, Uint8Array.of(0xff)]) {
    expect(checkCommand(bytes)?.reason).toBe("MALFORMED");
    expect(world.applyBytes(bytes).outcome).toMatchObject({
      kind: "refused",
      error: { reason: "MALFORMED" },
    });
  }
});

test("a command over the size limit is refused before it is proposed", () => {
  const padding = new Uint8Array(COMMAND_BYTES_MAX + 1);
  expect(checkCommand(padding)?.reason).toBe("TOO_LARGE");
});

test("a command of a newer version is never proposed, and stops a node that meets one", () => {
  const newer = Command.encode({ ...send({}), version: STATE_VERSION + 1 }).finish();
  expect(checkCommand(newer)?.reason).toBe("NOT_YET_SUPPORTED");
  const world = new World();
  world.register("anna");
  const before = dump(world.db);
  const entry = (command: Uint8Array, n: number) => ({ index: 1 + n, term: 1, command });
  const batch = [entry(new Uint8Array(0), 1), entry(newer, 2)];
  expect(() => world.machine.apply(batch)).toThrow(InvariantViolation);
  expect(dump(world.db)).toBe(before);
  expect(() => world.machine.apply([batch[0] as never])).toThrow("has stopped");
});

test("an entry out of its place stops the node", () => {
  const world = new World();
  world.register("anna");
  const empty = new Uint8Array(0);
  const machine = world.machine;
  expect(() => machine.apply([{ index: 3, term: 1, command: empty }])).toThrow("does not follow");
  expect(() => machine.apply([{ index: 1, term: 1, command: empty }])).toThrow("does not follow");
  expect(() => machine.apply([{ index: 2, term: 0, command: empty }])).toThrow("term");
  expect(machine.apply([{ index: 2, term: 1, command: empty }]).appliedIndex).toBe(2);
});

test("an error of SQLite rolls the whole batch back and stops the node", () => {
  const world = new World();
  const anna = world.register("anna");
  const roomId = world.room(anna, "General");
  const before = dump(world.db);
  world.db.exec(
    "CREATE TEMP TRIGGER fail BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'disk'); END",
  );
  const bytes = Command.encode(world.sendOf(anna, roomId, "x")).finish();
  const batch = [new Uint8Array(0), bytes].map((command, i) => ({
    index: 3 + i,
    term: 1,
    command: command.length === 0 ? command : stampCommand(command, START_MS),
  }));
  expect(() => world.machine.apply(batch)).toThrow("disk");
  expect(dump(world.db)).toBe(before);
  expect(() => world.machine.stateHash(0)).toThrow(InvariantViolation);
  expect(ChatMachine.open(world.db).appliedIndex).toBe(2);
});

test("the configuration is kept with the applied index, opaque", () => {
  const db = new DatabaseSync(":memory:");
  const machine = ChatMachine.open(db);
  expect(machine.confState()).toBeUndefined();
  machine.apply([], Uint8Array.of(1, 2));
  machine.apply([{ index: 1, term: 4, command: new Uint8Array(0) }]);
  expect(ChatMachine.open(db).confState()).toEqual(Uint8Array.of(1, 2));
  machine.apply([{ index: 2, term: 4, command: new Uint8Array(0) }], Uint8Array.of(3));
  const reopened = ChatMachine.open(db);
  expect(reopened.confState()).toEqual(Uint8Array.of(3));
  expect([reopened.appliedIndex, reopened.appliedTerm]).toEqual([2, 4]);
});

test("a file of another schema version, or of something else, is refused by name", () => {
  const other = new DatabaseSync(":memory:");
  other.exec("CREATE TABLE things (id INTEGER)");
  expect(() => ChatMachine.open(other)).toThrow("something else");
  const newer = new DatabaseSync(":memory:");
  ChatMachine.open(newer);
  newer.exec("UPDATE meta SET schema_version = 99");
  expect(() => ChatMachine.open(newer)).toThrow("schema version 99");
});

test("a stamp is appended without decoding, and counts as the last one", () => {
  const bytes = stampCommand(Command.encode({ ...send({}), stampMs: 5 }).finish(), START_MS);
  expect(Command.decode(bytes).stampMs).toBe(START_MS);
});

test("P9: a file whose meta row was changed from outside is not opened", () => {
  for (const change of [
    "applied_term = applied_term + 1",
    "applied_index = 7",
    "conf_state = x'00'",
  ]) {
    const world = new World();
    world.register("anna");
    world.db.exec(`UPDATE meta SET ${change}`);
    expect(() => ChatMachine.open(world.db)).toThrow("fits its checksum");
  }
});
