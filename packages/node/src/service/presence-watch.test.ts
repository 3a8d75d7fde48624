import { LIMITS } from "@parley/protocol";
import { expect, test } from "vitest";
import { PRESENCE_PUSH_MS_MIN } from "./presence-watch.ts";
import { type TestClient, World } from "./testing/world.test.support.ts";

const OFFLINE_DELAY_MS = 2_000;

/** Ann watches; what she was told, in order. */
async function watching(...names: readonly string[]) {
  const world = await World.start();
  const ann = await world.register("ann");
  const ids = new Map<string, number>();
  const tokens = new Map<string, string>();
  for (const name of names) {
    const { id, token } = await world.register(name);
    ids.set(name, id);
    tokens.set(name, token);
  }
  const client = world.connect();
  client.hello({ token: ann.token });
  const nameOf = (id: number) => [...ids].find(([, one]) => one === id)?.[0] ?? String(id);
  const told = (of: TestClient = client) =>
    of.frames.flatMap(({ presence }) =>
      presence === undefined
        ? []
        : [
            [
              ...presence.onlineAccountIds.map((id) => `+${nameOf(id)}`),
              ...presence.offlineAccountIds.map((id) => `-${nameOf(id)}`),
            ].join(" "),
          ],
    );
  const watch = async (whom: readonly string[], of: TestClient = client) => {
    of.frame({ watch: { accountIds: whom.map((name) => ids.get(name) ?? 0) } });
    await world.clock.advance(1);
  };
  const comes = (name: string) => {
    const session = world.connect();
    session.hello({ token: tokens.get(name) ?? "" });
    return session;
  };
  return { world, ann, client, told, watch, comes, ids };
}

const soon = PRESENCE_PUSH_MS_MIN + 1;

test("a session hears how it is with those that it names, then who comes and goes, and of nobody else", async () => {
  const { world, told, watch, comes } = await watching("bob", "cat", "dan");
  const bob = comes("bob");
  comes("dan");
  await watch(["bob", "cat"]);
  expect(told()).toEqual(["+bob -cat"]);
  comes("cat");
  await world.clock.advance(soon);
  bob.end();
  await world.clock.advance(OFFLINE_DELAY_MS + soon);
  expect(told()).toEqual(["+bob -cat", "+cat", "-bob"]);
});

test("another list takes the place of the one before; an empty one ends it", async () => {
  const { world, told, watch, comes } = await watching("bob", "cat");
  await watch(["bob"]);
  await watch(["cat"]);
  const bob = comes("bob");
  await world.clock.advance(soon);
  expect(told()).toEqual(["-bob", "-cat"]);
  await watch([]);
  comes("cat");
  bob.end();
  await world.clock.advance(OFFLINE_DELAY_MS + soon);
  expect(told()).toEqual(["-bob", "-cat"]);
});

test("a reconnect, as in a failover, is nothing to tell of", async () => {
  const { world, told, watch, comes } = await watching("bob");
  const bob = comes("bob");
  await watch(["bob"]);
  bob.end();
  await world.clock.advance(OFFLINE_DELAY_MS / 2);
  comes("bob");
  await world.clock.advance(10_000);
  expect(told()).toEqual(["+bob"]);
});

test("who begins to watch somebody that is away for a moment is told what the others know", async () => {
  const { world, ann, told, watch, ids } = await watching("bob");
  const bob = ids.get("bob") ?? 0;
  await watch(["bob"]);
  world.log.setLocalPresence(bob, true);
  const other = world.connect();
  other.hello({ token: ann.token });
  await watch(["bob"], other);
  world.log.setLocalPresence(bob, false);
  world.log.setLocalPresence(bob, true);
  await world.clock.advance(soon);
  expect([told().at(-1), told(other).at(-1)]).toEqual(["+bob", "+bob"]);

  // Away, watched, and back before anybody was told.
  world.log.setLocalPresence(bob, false);
  const third = world.connect();
  third.hello({ token: ann.token });
  await watch(["bob"], third);
  world.log.setLocalPresence(bob, true);
  await world.clock.advance(soon);
  expect([told().at(-1), told(other).at(-1), told(third).at(-1)]).toEqual(["+bob", "+bob", "+bob"]);
});

test("P11: those who come and go in great numbers are told together, twice a second at most", async () => {
  const names = Array.from({ length: 100 }, (_, at) => `user-${at}`);
  const { world, told, watch, ids } = await watching(...names);
  await watch(names);
  for (let ms = 0; ms < 2_000; ms += 10) {
    const id = ids.get(names[ms % 100] ?? "") ?? 0;
    world.log.setLocalPresence(id, !world.log.isOnline(id));
    await world.clock.advance(10);
  }
  await world.clock.advance(soon);
  expect(told().length).toBeGreaterThan(2);
  expect(told().length).toBeLessThanOrEqual(6);
});

test("P11: a list that is too long ends the session; who is not signed in, or no longer, hears of nobody", async () => {
  const { world, ann, client, told, watch, comes } = await watching("bob");
  const guest = world.connect();
  guest.hello();
  await watch(["bob"], guest);
  expect(told(guest)).toEqual([]);

  await watch(["bob"]);
  await world.call("logout", {}, ann.token);
  comes("bob");
  await world.clock.advance(soon);
  expect(told()).toEqual(["-bob"]);
  expect(client.goAway?.reason).toBe("UNAUTHENTICATED");

  const again = world.connect();
  again.hello({
    token: (await world.call("login", { username: "ann", password: "ann-password" })).token,
  });
  const accountIds = Array.from({ length: LIMITS.watchedAccountsMax + 1 }, (_, at) => at + 1);
  again.frame({ watch: { accountIds } });
  expect(again.goAway?.reason).toBe("TOO_LARGE");
});
