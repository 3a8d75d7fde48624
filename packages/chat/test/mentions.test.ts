// Mentions: who is found in a text, who is kept, and what is counted.
import {
  LIMITS,
  ListRoomsRequest,
  ListRoomsResponse,
  type Room,
  UnreadResponse,
} from "@parley/protocol";
import { expect, test } from "vitest";
import {
  type Actor,
  deleteCommand,
  editCommand,
  joinRoomCommand,
  leaveRoomCommand,
  markReadCommand,
  mentionsIn,
  sendCommand,
} from "../src/index.ts";
import { World } from "./world.ts";

function trio() {
  const world = new World();
  const [anna, bob] = [world.register("anna"), world.register("bob")];
  const carol = world.register("Carol.C");
  const roomId = world.room(anna, "General");
  for (const one of [bob, carol]) world.ok(joinRoomCommand({ roomId, requestId: world.id() }, one));
  world.upgrade();
  let n = 0;
  const say = (actor: Actor, body: string, room = roomId) => {
    n += 1;
    const ids = {
      clientMessageId: `m${n}`,
      replyToSeq: 0,
      threadRootSeq: 0,
      afterClientMessageId: "",
      clientFileIds: [],
    };
    return sendCommand({ roomId: room, body, ...ids }, actor, mentionsIn(body, world.admission));
  };
  return { world, anna, bob, carol, roomId, say };
}

function counts(world: World, { accountId }: Actor) {
  const answer = world.read({ kind: "unread", accountId });
  if (answer.kind !== "response") throw new Error(`the count is ${answer.kind}`);
  const { unreadCount, mentionCount } = UnreadResponse.decode(answer.response);
  return { unreadCount, mentionCount };
}

function room(world: World, actor: Actor): Room | undefined {
  const request = ListRoomsRequest.encode(ListRoomsRequest.fromPartial({})).finish();
  const answer = world.read({ kind: "operation", operation: "listRooms", request, ...actor });
  if (answer.kind !== "response") throw new Error(`the rooms are ${answer.kind}`);
  return ListRoomsResponse.decode(answer.response).rooms[0];
}

test("names are found as people write them: any case, before a full stop, not inside addresses", () => {
  const { world, anna, bob, carol } = trio();
  const found = (body: string) => {
    const { mentionIds, mentionsRoom } = mentionsIn(body, world.admission);
    const names = new Map([
      [anna.accountId, "a"],
      [bob.accountId, "b"],
      [carol.accountId, "c"],
    ]);
    return mentionIds.map((id) => names.get(id)).join("") + (mentionsRoom ? "!" : "");
  };
  expect(found("@bob, @ANNA: look, @bob")).toBe("ba");
  expect(found("ask @carol.c. Or (@Bob)…")).toBe("cb");
  expect(found("@ａｎｎａ in wide letters")).toBe("a");
  expect(found("mail bob@anna.example or x.@bob")).toBe("");
  expect(found("@bobby @bo @ @@nobody bob")).toBe("");
  expect(found("@room! and @Room-")).toBe("!");
  expect(found("@@bob")).toBe("b");
  expect(found(`@${"b".repeat(10_000)} @bob`)).toBe("b");
  expect(found(`${"@nobody ".repeat(250)}@bob`)).toBe("");
});

test("the members among them are kept and told; an author's own name counts for nothing", () => {
  const { world, anna, bob, carol, roomId, say } = trio();
  const dave = world.register("dave");
  const [event] = world.events(say(anna, "@bob @dave @anna hello"));
  expect(event?.event.event).toMatchObject({
    $case: "message",
    value: { mentions: [bob.accountId, anna.accountId], mentionsRoom: false },
  });
  expect(counts(world, bob)).toEqual({ unreadCount: 1, mentionCount: 1 });
  expect(counts(world, carol)).toEqual({ unreadCount: 1, mentionCount: 0 });
  expect(counts(world, anna)).toEqual({ unreadCount: 0, mentionCount: 0 });
  expect(room(world, bob)).toMatchObject({ unreadCount: 1, mentionCount: 1 });
  // Who joins later was not mentioned.
  world.ok(joinRoomCommand({ roomId, requestId: world.id() }, dave));
  expect(counts(world, dave)).toEqual({ unreadCount: 0, mentionCount: 0 });
  expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
});

test("reading, deleting and leaving take them back; an edit neither adds nor takes", () => {
  const { world, anna, bob, roomId, say } = trio();
  for (const body of ["@bob one", "@room two", "three", "@bob and @room four"]) {
    world.ok(say(anna, body));
  }
  expect(counts(world, bob)).toEqual({ unreadCount: 4, mentionCount: 3 });
  const edit = { roomId, seq: 3, body: "@bob three", expectedVersion: 0, requestId: world.id() };
  world.ok(editCommand(edit, anna));
  expect(counts(world, bob)).toEqual({ unreadCount: 4, mentionCount: 3 });
  const [event] = world.events(deleteCommand({ roomId, seqs: [4], requestId: world.id() }, anna));
  expect(event?.event.event).toMatchObject({
    value: { deleted: true, body: "", mentions: [bob.accountId], mentionsRoom: true },
  });
  expect(counts(world, bob)).toEqual({ unreadCount: 3, mentionCount: 2 });
  const [marker] = world.events(
    markReadCommand({ roomId, seq: 1, requestId: "", threadRootSeq: 0 }, bob),
  );
  expect(marker?.event.event).toEqual({
    $case: "readMarker",
    value: { roomId, seq: 1, unreadCount: 2, mentionCount: 1 },
  });
  world.ok(leaveRoomCommand({ roomId, requestId: world.id() }, bob));
  expect(counts(world, bob)).toEqual({ unreadCount: 0, mentionCount: 0 });
});

test("@room: everybody in a small room, only admins and owners in a larger one", () => {
  const { world, anna, bob, roomId, say } = trio();
  world.ok(say(bob, "@room small"));
  expect(counts(world, anna)).toEqual({ unreadCount: 1, mentionCount: 1 });
  for (let n = 0; n < LIMITS.roomMentionMembersMax; n += 1) {
    const one = world.register(`user${n}`);
    world.ok(joinRoomCommand({ roomId, requestId: world.id() }, one));
  }
  world.ok(say(bob, "@room large"));
  expect(counts(world, anna)).toEqual({ unreadCount: 2, mentionCount: 1 });
  world.ok(say(anna, "@room from its owner"));
  expect(counts(world, bob)).toEqual({ unreadCount: 1, mentionCount: 1 });
});

test("P11: a message mentions at most 50 accounts by name", () => {
  const { world, anna, roomId, say } = trio();
  const names = Array.from({ length: LIMITS.mentionsMax + 5 }, (_, n) => `user${n}`);
  for (const name of names) {
    world.ok(joinRoomCommand({ roomId, requestId: world.id() }, world.register(name)));
  }
  const [event] = world.events(say(anna, names.map((name) => `@${name}`).join(" ")));
  const message = event?.event.event;
  if (message?.$case !== "message") throw new Error("no message");
  expect(message.value.mentions).toHaveLength(LIMITS.mentionsMax);
  const ids = {
    clientMessageId: "x",
    replyToSeq: 0,
    threadRootSeq: 0,
    afterClientMessageId: "",
    clientFileIds: [],
  };
  const tooMany = Array.from({ length: LIMITS.mentionsMax + 1 }, (_, n) => n + 1);
  const mentions = { mentionIds: tooMany, mentionsRoom: false };
  expect(() => sendCommand({ roomId, body: "hi", ...ids }, anna, mentions)).toThrow("mention");
});

test("rolling upgrade: until the state knows mentions, the text is sent without them", () => {
  const world = new World();
  const anna = world.register("anna");
  const roomId = world.room(anna, "General");
  expect(mentionsIn("@anna", world.admission)).toEqual({ mentionIds: [], mentionsRoom: false });
  const ids = {
    clientMessageId: "x",
    replyToSeq: 0,
    threadRootSeq: 0,
    afterClientMessageId: "",
    clientFileIds: [],
  };
  const early = { mentionIds: [anna.accountId], mentionsRoom: false };
  const command = sendCommand({ roomId, body: "@anna", ...ids }, anna, early);
  expect(world.reason(command)).toBe("NOT_YET_SUPPORTED");
  world.upgrade();
  expect(mentionsIn("@anna", world.admission).mentionIds).toEqual([anna.accountId]);
  // P2: what is told from another message by its id is the text, whoever was found in it.
  const sent = world.sendOf(anna, roomId, "@anna", { clientMessageId: "x" });
  world.ok(sent);
  expect(world.reason(command)).toBe("ok");
  expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
});
