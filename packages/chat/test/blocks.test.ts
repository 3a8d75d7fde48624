// Blocking somebody: no direct messages, no mentions, known to the blocker alone.
import {
  BlockResponse,
  type Event,
  Event as EventCodec,
  LIMITS,
  ListBlockedResponse,
  SendResponse,
} from "@parley/protocol";
import { expect, test } from "vitest";
import {
  type Actor,
  blockCommand,
  deleteAccountCommand,
  editCommand,
  joinRoomCommand,
  openDirectCommand,
  reactCommand,
  sendCommand,
} from "../src/index.ts";
import { World } from "./world.ts";

class Street extends World {
  readonly anna = this.first("anna");
  readonly bob = this.register("bob");
  readonly carol = this.register("carol");

  first(name: string) {
    this.upgrade();
    return this.register(name);
  }

  blocking(actor: Actor, other: Actor, blocked = true) {
    return blockCommand({ blocked, requestId: this.id() }, actor, other.accountId);
  }

  opening(actor: Actor, other: Actor) {
    return openDirectCommand({ requestId: this.id() }, actor, other.accountId);
  }

  mentioning(actor: Actor, roomId: number, mentionIds: number[], mentionsRoom: boolean) {
    const ids = { clientMessageId: this.id(), afterClientMessageId: "", clientFileIds: [] };
    const request = { roomId, body: "hey", replyToSeq: 0, threadRootSeq: 0, ...ids };
    const command = sendCommand(request, actor, { mentionIds, mentionsRoom });
    return SendResponse.decode(this.ok(command)).message;
  }

  list(actor: Actor): string[] {
    const request = new Uint8Array(0);
    const answer = this.read({ kind: "operation", operation: "listBlocked", request, ...actor });
    if (answer.kind !== "response") throw new Error(answer.kind);
    return ListBlockedResponse.decode(answer.response).accounts.map(({ username }) => username);
  }

  caughtUp(actor: Actor, afterRevision: number): Event[] {
    const { accountId } = actor;
    const page = this.read({ kind: "catch-up", accountId, afterRevision, bytesMax: 1_000_000 });
    if (page.kind !== "page") throw new Error(page.kind);
    return page.events.map(({ event }) => EventCodec.decode(event));
  }
}

test("who is blocked can neither open a direct conversation with the blocker nor write to it", () => {
  const street = new Street();
  const { anna, bob, carol } = street;
  street.ok(street.opening(bob, anna));
  const roomId = street.revision;
  street.send(bob, roomId, "hello");
  const refused = street.sendOf(bob, roomId, "hello?");
  street.ok(street.blocking(anna, bob));
  expect(street.reason(refused)).toBe("BLOCKED");
  expect(street.reason(street.opening(bob, anna))).toBe("BLOCKED");
  const edit = { roomId, seq: 1, body: "HELLO", expectedVersion: 0, requestId: street.id() };
  expect(street.reason(editCommand(edit, bob))).toBe("BLOCKED");
  const emoji = { roomId, seq: 1, emoji: "👋", add: true, requestId: street.id() };
  expect(street.reason(reactCommand(emoji, bob))).toBe("BLOCKED");
  // The others go on as before, and so does the blocker.
  street.ok(street.opening(carol, anna));
  street.send(anna, roomId, "no more, please");
  street.ok(street.blocking(anna, bob, false));
  street.send(bob, roomId, "sorry");
});

test("P2: the retry of a message from before the block gets its first result", () => {
  const street = new Street();
  street.ok(street.opening(street.bob, street.anna));
  const sent = street.sendOf(street.bob, street.revision, "hello");
  const first = street.ok(sent);
  street.ok(street.blocking(street.anna, street.bob));
  expect(street.ok(sent)).toEqual(first);
});

test("who is blocked mentions the blocker no more, by name or with everybody", () => {
  const street = new Street();
  const { anna, bob, carol } = street;
  const roomId = street.room(anna, "Square");
  for (const one of [bob, carol]) {
    street.ok(joinRoomCommand({ roomId, requestId: street.id() }, one));
  }
  street.ok(street.blocking(anna, bob));
  const both = [anna.accountId, carol.accountId];
  const named = street.mentioning(bob, roomId, both, false);
  expect(named).toMatchObject({ mentions: [carol.accountId], mentionsRoom: false });
  const all = street.mentioning(bob, roomId, [], true);
  expect(all).toMatchObject({ mentions: [carol.accountId], mentionsRoom: false });
  expect(street.mentioning(carol, roomId, [], true)?.mentionsRoom).toBe(true);
});

test("the blocker's devices are told, at once and when they catch up; nobody else is", () => {
  const street = new Street();
  const { anna, bob, carol } = street;
  const before = street.revision;
  const events = street.events(street.blocking(anna, bob));
  const { accountId } = anna;
  expect(events).toMatchObject([
    {
      to: { kind: "account", accountId },
      event: { event: { $case: "blocked", value: { accountIds: [bob.accountId] } } },
    },
  ]);
  expect(street.caughtUp(anna, before)).toEqual(events.map(({ event }) => event));
  expect(street.caughtUp(bob, before)).toEqual([]);
  // A repeat changes nothing.
  expect(street.events(street.blocking(anna, bob))).toEqual([]);
  street.ok(street.blocking(anna, carol));
  expect(street.list(anna)).toEqual(["bob", "carol"]);
  expect(street.list(bob)).toEqual([]);
  street.ok(street.blocking(anna, bob, false));
  street.ok(street.blocking(anna, carol, false));
  expect(street.caughtUp(anna, before)).toMatchObject([
    { event: { $case: "blocked", value: { accountIds: [] } } },
  ]);
});

test("P11: so many and no more; not oneself, not nobody; over a restart", () => {
  const street = new Street();
  const { anna, bob, carol } = street;
  expect(street.reason(street.blocking(anna, anna))).toBe("INVALID_ARGUMENT");
  const nobody = { accountId: 9_999, sessionId: 0 };
  expect(street.reason(street.blocking(anna, nobody))).toBe("ACCOUNT_NOT_FOUND");
  for (let n = 1; n < LIMITS.blockedPerAccountMax; n += 1) {
    street.ok(street.blocking(anna, street.register(`other-${n}`)));
  }
  const last = BlockResponse.decode(street.ok(street.blocking(anna, bob)));
  expect(last.blocked?.accountIds).toHaveLength(LIMITS.blockedPerAccountMax);
  expect(street.reason(street.blocking(anna, carol))).toBe("LIMIT_REACHED");
  street.reopen();
  expect(street.machine.recomputeHash()).toBe(street.machine.stateHash(0)?.hash);
  expect(street.reason(street.opening(bob, anna))).toBe("BLOCKED");
  // A deleted account makes room.
  const gone = deleteAccountCommand({ requestId: street.id() }, bob, bob.credentialsRevision);
  street.ok(gone);
  street.ok(street.blocking(anna, carol));
});
