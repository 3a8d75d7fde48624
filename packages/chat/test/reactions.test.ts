// Reactions: what they change, and what they must not.
import {
  DeleteResponse,
  HistoryResponse,
  LIMITS,
  type Message,
  ReactResponse,
  UnreadResponse,
} from "@parley/protocol";
import { expect, test } from "vitest";
import {
  type Actor,
  deleteCommand,
  editCommand,
  joinRoomCommand,
  leaveRoomCommand,
  reactCommand,
} from "../src/index.ts";
import { World } from "./world.ts";

function pair() {
  const world = new World();
  const anna = world.register("anna");
  const bob = world.register("bob");
  const roomId = world.room(anna, "General");
  world.ok(joinRoomCommand({ roomId, requestId: world.id() }, bob));
  world.upgrade();
  const react = (actor: Actor, emoji: string, add = true, seq = 1) =>
    reactCommand({ roomId, seq, emoji, add, requestId: world.id() }, actor);
  return { world, anna, bob, roomId, react };
}

function given(answer: Uint8Array) {
  return ReactResponse.decode(answer).reactions.map(
    ({ emoji, count, accountIds }) => `${emoji} ${count} by ${accountIds}`,
  );
}

function shown(world: World, actor: Actor, roomId: number): Message[] {
  const request = Uint8Array.from([8, roomId]);
  const answer = world.read({ kind: "operation", operation: "history", request, ...actor });
  if (answer.kind !== "response") throw new Error(`the history is ${answer.kind}`);
  return HistoryResponse.decode(answer.response).messages;
}

function sound(world: World): void {
  expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
}

test("a reaction is counted and named, told to the room as a change, and stays after a reopen", () => {
  const { world, anna, bob, roomId, react } = pair();
  const sent = world.send(anna, roomId, "hello");
  const [event] = world.events(react(bob, "👍"));
  const { revision } = world;
  const reactions = [{ emoji: "👍", count: 1, accountIds: [bob.accountId] }];
  const message = { ...sent, revision, reactions };
  expect(event?.event).toEqual({ revision, event: { $case: "messageChanged", value: message } });
  expect(event?.to).toEqual({ kind: "room", roomId, exceptAccountId: 0 });
  world.ok(react(anna, "🎉"));
  expect(given(world.ok(react(anna, "👍")))).toEqual([
    `👍 2 by ${bob.accountId},${anna.accountId}`,
    `🎉 1 by ${anna.accountId}`,
  ]);
  world.reopen();
  sound(world);
  expect(given(world.ok(react(bob, "👍", false)))).toEqual([
    `👍 1 by ${anna.accountId}`,
    `🎉 1 by ${anna.accountId}`,
  ]);
  expect(given(world.ok(react(anna, "👍", false)))).toEqual([`🎉 1 by ${anna.accountId}`]);
  expect(shown(world, bob, roomId)[0]?.reactions).toMatchObject([{ emoji: "🎉", count: 1 }]);
  expect(given(world.ok(react(anna, "🎉", false)))).toEqual([]);
  sound(world);
});

test("P2: giving it again, or taking back what is not there, changes nothing and tells nobody", () => {
  const { world, anna, bob, roomId, react } = pair();
  world.send(anna, roomId, "hello");
  expect(world.events(react(bob, "👍", false))).toEqual([]);
  const command = react(bob, "👍");
  const first = world.ok(command);
  expect(world.events(react(bob, "👍"))).toEqual([]);
  world.ok(react(bob, "👍", false));
  // The repeat of a request is not done anew, though by now it would do something.
  expect(world.ok(command)).toEqual(first);
  expect(shown(world, anna, roomId)[0]?.reactions).toEqual([]);
});

test("a reaction makes nothing unread, is no edit, and survives one", () => {
  const { world, anna, bob, roomId, react } = pair();
  world.send(anna, roomId, "helo");
  world.ok(react(bob, "👍"));
  const unread = world.read({ kind: "unread", accountId: anna.accountId });
  if (unread.kind !== "response") throw new Error("no count of what is unread");
  expect(UnreadResponse.decode(unread.response).unreadCount).toBe(0);
  const edit = { roomId, seq: 1, body: "hello", expectedVersion: 0, requestId: world.id() };
  world.ok(editCommand(edit, anna));
  expect(shown(world, bob, roomId)[0]).toMatchObject({
    body: "hello",
    version: 1,
    reactions: [{ emoji: "👍", count: 1 }],
  });
});

test("a deleted message has no reactions, and takes none", () => {
  const { world, anna, bob, roomId, react } = pair();
  world.send(anna, roomId, "hello");
  world.ok(react(bob, "👍"));
  world.ok(react(anna, "🎉"));
  const deleted = world.ok(deleteCommand({ roomId, seqs: [1], requestId: world.id() }, anna));
  expect(DeleteResponse.decode(deleted).deletedCount).toBe(1);
  expect(shown(world, bob, roomId)[0]?.reactions).toEqual([]);
  expect(world.db.prepare("SELECT count(*) AS n FROM reactions").get()).toEqual({ n: 0 });
  expect(world.reason(react(bob, "👍"))).toBe("MESSAGE_NOT_FOUND");
  expect(world.reason(react(bob, "👍", true, 2))).toBe("MESSAGE_NOT_FOUND");
  sound(world);
});

test("only members react, and with something to see", () => {
  const { world, anna, bob, roomId, react } = pair();
  world.send(anna, roomId, "hello");
  world.ok(leaveRoomCommand({ roomId, requestId: world.id() }, bob));
  expect(world.reason(react(bob, "👍"))).toBe("NOT_A_MEMBER");
  for (const emoji of ["", "a b", "\u0007", "\ud800", "\u200d", "👍".repeat(9)]) {
    expect(() => react(anna, emoji), JSON.stringify(emoji)).toThrow();
  }
  for (const emoji of ["🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👩‍👩‍👧‍👦", "1️⃣", "+1", "👍".repeat(8)])
    expect(world.reason(react(anna, emoji))).toBe("ok");
});

test("P11: at most 20 emoji, 2,000 reactions and 50 names, and a name that leaves gives place to the next", () => {
  const { world, anna, roomId, react } = pair();
  world.send(anna, roomId, "hello");
  const { emojiPerMessageMax, reactionAccountsShownMax: shownMax } = LIMITS;
  const people = Array.from({ length: 101 }, (_, n) => world.register(`user${n}`));
  for (const one of people) world.ok(joinRoomCommand({ roomId, requestId: world.id() }, one));
  for (const one of people) world.ok(react(one, "👍"));
  const ids = people.map(({ accountId }) => accountId);
  const first = () => shown(world, anna, roomId)[0]?.reactions[0];
  expect(first()).toEqual({ emoji: "👍", count: 101, accountIds: ids.slice(0, shownMax) });
  world.ok(react(people[3] as Actor, "👍", false));
  world.ok(react(people[99] as Actor, "👍", false));
  const left = ids.filter((_, n) => n !== 3);
  expect(first()).toEqual({ emoji: "👍", count: 99, accountIds: left.slice(0, shownMax) });
  const reasons = new Set<string>();
  for (let n = 1; n <= emojiPerMessageMax; n += 1) {
    for (const one of people) reasons.add(world.reason(react(one, `e${n}`)));
  }
  expect([...reasons].sort()).toEqual(["LIMIT_REACHED", "ok"]);
  const all = shown(world, anna, roomId)[0]?.reactions ?? [];
  expect(all).toHaveLength(emojiPerMessageMax);
  expect(all.reduce((sum, { count }) => sum + count, 0)).toBe(LIMITS.reactionsPerMessageMax);
  sound(world);
});

test("P3: until the state has its version a reaction is refused, the same on every node", () => {
  const world = new World();
  const anna = world.register("anna");
  const roomId = world.room(anna, "General");
  world.send(anna, roomId, "one");
  const command = reactCommand(
    { roomId, seq: 1, emoji: "👍", add: true, requestId: world.id() },
    anna,
  );
  expect(world.reason(command)).toBe("NOT_YET_SUPPORTED");
  world.upgrade();
  expect(world.reason(command)).toBe("ok");
});
