// Editing one's own messages: the first operation that came with a later state version.
import type { DatabaseSync } from "node:sqlite";
import { EditResponse, SendResponse } from "@parley/protocol";
import { expect, test } from "vitest";
import { prepareArrays } from "../src/database.ts";
import {
  type Actor,
  deleteCommand,
  editCommand,
  joinRoomCommand,
  leaveRoomCommand,
  STATE_VERSION,
} from "../src/index.ts";
import { firstArray, metaChecksum } from "../src/schema.ts";
import { HOUR_MS, World } from "./world.ts";

function pair() {
  const world = new World();
  const anna = world.register("anna");
  const bob = world.register("bob");
  const roomId = world.room(anna, "General");
  world.ok(joinRoomCommand({ roomId, requestId: world.id() }, bob));
  const edit = (actor: Actor, body: string, expectedVersion: number, seq = 1) =>
    editCommand({ roomId, seq, body, expectedVersion, requestId: world.id() }, actor);
  return { world, anna, bob, roomId, edit };
}

function upgradedPair() {
  const made = pair();
  made.world.upgrade();
  return made;
}

test("an edit changes the body, counts, and says when; the message stays where and whose it was", () => {
  const { world, anna, roomId, edit } = upgradedPair();
  const sent = world.send(anna, roomId, "helo");
  world.nowMs += 1_000;
  const [event] = world.events(edit(anna, "hello", 0));
  const revision = world.revision;
  const message = {
    ...sent,
    body: "hello",
    version: 1,
    editedAtMs: world.nowMs,
    revision,
  };
  expect(event?.event).toEqual({ revision, event: { $case: "messageChanged", value: message } });
  expect(event?.to).toEqual({ kind: "room", roomId, exceptAccountId: 0 });
  world.nowMs += 1_000;
  const again = EditResponse.decode(world.ok(edit(anna, "hello!", 1))).message;
  expect(again).toMatchObject({ body: "hello!", version: 2, editedAtMs: world.nowMs, seq: 1 });
});

test("VERSION_CONFLICT: what another device has edited meanwhile is not overwritten", () => {
  const { world, anna, roomId, edit } = upgradedPair();
  world.send(anna, roomId, "one");
  world.ok(edit(anna, "two", 0));
  expect(world.reason(edit(anna, "three", 0))).toBe("VERSION_CONFLICT");
  expect(world.reason(edit(anna, "three", 2))).toBe("VERSION_CONFLICT");
  expect(world.reason(edit(anna, "three", 1))).toBe("ok");
});

test("only the author edits, as a member, and only what is there", () => {
  const { world, anna, bob, roomId, edit } = upgradedPair();
  world.send(bob, roomId, "bob's");
  expect(world.reason(edit(anna, "anna's", 0))).toBe("PERMISSION_DENIED");
  expect(world.reason(edit(bob, "later", 0, 2))).toBe("MESSAGE_NOT_FOUND");
  world.ok(deleteCommand({ roomId, seqs: [1], requestId: world.id() }, bob));
  expect(world.reason(edit(bob, "back", 0))).toBe("MESSAGE_NOT_FOUND");
  world.send(bob, roomId, "another");
  world.ok(leaveRoomCommand({ roomId, requestId: world.id() }, bob));
  expect(world.reason(edit(bob, "from outside", 0, 2))).toBe("NOT_A_MEMBER");
  const long = { roomId, seq: 1, expectedVersion: 0, requestId: world.id() };
  expect(() => editCommand({ ...long, body: "x".repeat(20_000) }, bob)).toThrow("16384");
  expect(() => editCommand({ ...long, body: " " }, bob)).toThrow();
});

test("P2: an edit that is repeated is made once, and a send is recognised after its body was edited", () => {
  const { world, anna, roomId, edit } = upgradedPair();
  const send = world.sendOf(anna, roomId, "one");
  world.ok(send);
  const command = edit(anna, "two", 0);
  const first = world.ok(command);
  expect(world.ok(command)).toEqual(first);
  const repeated = SendResponse.decode(world.ok(send)).message;
  expect(repeated).toMatchObject({ seq: 1, body: "two", version: 1 });
});

test("P3: until the state has its version an edit is refused, the same on every node", () => {
  const { world, anna, roomId, edit } = pair();
  world.send(anna, roomId, "one");
  const command = edit(anna, "two", 0);
  expect(world.reason(command)).toBe("NOT_YET_SUPPORTED");
  world.upgrade();
  expect(world.reason(command)).toBe("ok");
});

/** Takes away what came after the first tables: the file as an older program made it. */
function asOlder(db: DatabaseSync): void {
  db.exec("ALTER TABLE messages DROP COLUMN version");
  db.exec("ALTER TABLE messages DROP COLUMN edited_at_ms");
  db.exec("ALTER TABLE messages DROP COLUMN reactions");
  db.exec("ALTER TABLE messages DROP COLUMN mentions");
  db.exec("DROP TABLE mentions");
  db.exec("DROP INDEX messages_pinned");
  db.exec("ALTER TABLE messages DROP COLUMN pinned_revision");
  db.exec("DROP TABLE reactions");
  db.exec("ALTER TABLE accounts DROP COLUMN reads_hidden");
  for (const column of [
    "starred",
    "muted",
    "preference_revision",
    "write_forbidden_until_ms",
    "write_forbidden_revision",
  ]) {
    db.exec(`ALTER TABLE members DROP COLUMN ${column}`);
  }
  db.exec("ALTER TABLE meta DROP COLUMN state_version");
}

test("rolling upgrade: an older program's file is opened, has the same hash, and goes on", () => {
  const { world, anna, roomId, edit } = pair();
  world.send(anna, roomId, "one");
  const hash = world.machine.stateHash(0);
  asOlder(world.db);
  world.reopen();
  expect(world.machine.stateHash(0)).toEqual(hash);
  expect(world.machine.recomputeHash()).toBe(hash?.hash);
  world.upgrade();
  world.nowMs += HOUR_MS;
  world.ok(edit(anna, "two", 0));
  expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
  world.reopen();
  expect(world.admission.stateVersion).toBe(STATE_VERSION);
});

test("a program that is too old for the state does not start, and says so", () => {
  const { world } = upgradedPair();
  const meta = prepareArrays(
    world.db,
    `SELECT applied_index, applied_term, stamp_ms, register_floor, hash_a, hash_b, conf_state FROM meta`,
  );
  const checksum = metaChecksum([...(firstArray(meta) ?? []), 99]);
  world.db.exec(`UPDATE meta SET state_version = 99, checksum = ${checksum}`);
  expect(() => world.reopen()).toThrow(`this program knows versions up to ${STATE_VERSION}`);
});
