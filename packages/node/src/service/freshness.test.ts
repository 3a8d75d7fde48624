// P4 on a node that is behind, and what is said when there is no quorum (P6).
import { Consistency, RoomVisibility } from "@parley/protocol";
import { expect, test } from "vitest";
import { World } from "./testing/world.test.support.ts";

const LINEARIZABLE = { consistency: Consistency.CONSISTENCY_LINEARIZABLE };
const room = { name: "Lounge", visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC };

test("a token given out by another node a moment ago is waited for (P4)", async () => {
  const world = await World.start();
  const ann = await world.register("ann");
  world.log.behind = true;
  const login = world.start("login", { username: "ann", password: "ann-password" });
  await world.clock.advance(5);
  world.log.catchUp();
  const { token } = await world.clock.finish(login);
  // The same log on a node that has not applied the login yet.
  world.log.behind = true;
  await world.clock.advance(5);
  const unknown = world.start("getAccount", {}, "no such token");
  expect((await world.failure(unknown)).reason).toBe("UNAUTHENTICATED");
  const known = world.start("getAccount", {}, token);
  expect((await world.clock.finish(known)).account?.id).toBe(ann.id);
});

test("a register that is committed but not applied here signs in once it is (P4)", async () => {
  const elsewhere = await World.start();
  const { token } = await elsewhere.register("ann");
  const here = await World.start({ seed: 8 });
  here.log.behind = true;
  for (const command of elsewhere.log.commands) here.log.append(command);
  const read = here.start("getAccount", {}, token);
  const login = here.start("login", { username: "ann", password: "ann-password" });
  await here.clock.advance(500);
  here.log.catchUp();
  expect((await here.clock.finish(read)).account?.username).toBe("ann");
  expect((await here.clock.finish(login)).account?.username).toBe("ann");
});

test("an unknown token or name is never called wrong by a node without a quorum", async () => {
  const world = await World.start();
  world.log.hasQuorum = false;
  const token = await world.failure(world.start("getAccount", {}, "unknown"));
  expect(token.reason).toBe("NO_QUORUM");
  const login = await world.failure(
    world.start("login", { username: "zoe", password: "whatever" }),
  );
  expect(login.reason).toBe("NO_QUORUM");
  expect(login.retryAfterMs).toBeGreaterThan(0);
});

test("a read waits for min_revision, a second at most, then says what the node has", async () => {
  const world = await World.start();
  const { token } = await world.register("ann");
  const revision = world.log.appliedRevision;
  const reading = world.start("listRooms", { minRevision: revision + 1 }, token);
  await world.clock.advance(500);
  world.log.append(new Uint8Array());
  expect((await world.clock.finish(reading)).revision).toBe(revision + 1);

  const startedMs = world.clock.monotonicMs();
  const behind = await world.failure(world.start("listRooms", { minRevision: 10_000 }, token));
  // With where to ask instead, and after which time it is worth it.
  expect(behind).toMatchObject({ reason: "BEHIND", revision: revision + 1, leaderId: 1 });
  expect(behind.retryAfterMs).toBeGreaterThan(0);
  expect(world.clock.monotonicMs() - startedMs).toBeLessThan(1_100);
  const options = { timeoutMs: 100 };
  const hurried = world.start("listRooms", { minRevision: 10_000 }, token, options);
  expect((await world.failure(hurried)).reason).toBe("BEHIND");
});

test("a linearizable read sees what was committed before it began; a local one need not", async () => {
  const world = await World.start();
  const { token } = await world.register("ann");
  world.log.behind = true;
  const made = world.start("createRoom", room, token);
  const reading = world.start("listRooms", LINEARIZABLE, token);
  const local = await world.call("listRooms", {}, token);
  expect(local.rooms).toEqual([]);
  world.log.catchUp();
  const { rooms } = await world.clock.finish(reading);
  expect(rooms.map(({ name }) => name)).toEqual(["Lounge"]);
  await world.clock.finish(made);
});

test("without a quorum reads are served with their age, linearizable ones refused (P6)", async () => {
  const world = await World.start();
  const { token } = await world.register("ann");
  expect((await world.call("listRooms", {}, token)).staleMs).toBe(0);
  world.log.hasQuorum = false;
  expect(world.service.ready()).toBe(false);
  expect((await world.call("listRooms", {}, token)).staleMs).toBe(1_234);
  expect((await world.call("listAccounts", {}, token)).staleMs).toBe(1_234);
  const refused = await world.failure(world.start("listRooms", LINEARIZABLE, token));
  expect(refused).toMatchObject({ reason: "NO_QUORUM", leaderId: 0 });
  expect(refused.retryAfterMs).toBeGreaterThan(0);
});

test("tokens expire by the wall clock", async () => {
  const world = await World.start({ tuning: { tokenTtlMs: 5_000 } });
  const { token } = await world.register("ann");
  const client = world.connect();
  client.hello({ token });
  await world.call("getAccount", {}, token);
  await world.clock.advance(6_500);
  const expired = await world.failure(world.start("getAccount", {}, token));
  expect(expired.reason).toBe("UNAUTHENTICATED");
  expect(client.goAway?.reason).toBe("UNAUTHENTICATED");
});

test("whether somebody is online is filled in from the connections, late when they leave", async () => {
  const world = await World.start();
  const ann = await world.register("ann");
  const bob = await world.register("bob");
  const isOnline = async () =>
    (await world.call("getAccount", { username: "bob" }, ann.token)).account?.online;
  expect(await isOnline()).toBe(false);
  const client = world.connect();
  client.hello({ token: bob.token });
  expect(await isOnline()).toBe(true);
  const list = await world.call("listAccounts", {}, ann.token);
  expect(list.accounts.map(({ username, online }) => [username, online])).toEqual([
    ["ann", false],
    ["bob", true],
  ]);
  client.end();
  await world.clock.advance(1_000);
  world.connect().hello({ token: bob.token });
  await world.clock.advance(5_000);
  expect(await isOnline()).toBe(true);
});
