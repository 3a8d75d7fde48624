// P2 for everything but sends: a request is done once, however often it comes.
import { LIMITS, LoginResponse, RegisterResponse } from "@parley/protocol";
import { expect, test } from "vitest";
import {
  createRoomCommand,
  createSessionCommand,
  deleteAccountCommand,
  endSessionCommand,
  joinRoomCommand,
  registerCommand,
  updateProfileCommand,
} from "../src/index.ts";
import { dump, HOUR_MS, TTL_MS, tokenHash, uuid, World } from "./world.ts";

const DAY_MS = 24 * HOUR_MS;

test("P2: a retry gets the first result, without an event, and changes nothing", () => {
  const world = new World();
  const anna = world.register("anna");
  const request = { name: "General", visibility: 1 as const, topic: "", requestId: world.id() };
  const first = world.apply(createRoomCommand(request, anna));
  const before = dump(world.db);
  const retry = world.apply(createRoomCommand(request, anna));
  expect(retry.outcome).toEqual(first.outcome);
  expect(retry.changes).toEqual([]);
  expect(retry.deliveries).toEqual([]);
  const applied = (text: string): string =>
    text.replace(/"(applied_index|checksum|search_followed)":\d+/g, "");
  expect(applied(dump(world.db))).toBe(applied(before));
});

test("P2: the same id for something else is refused", () => {
  const world = new World();
  const anna = world.register("anna");
  const request = { name: "General", visibility: 1 as const, topic: "", requestId: world.id() };
  world.ok(createRoomCommand(request, anna));
  expect(world.reason(createRoomCommand({ ...request, name: "Other" }, anna))).toBe("ID_REUSED");
  const join = joinRoomCommand({ roomId: world.revision, requestId: request.requestId }, anna);
  expect(world.reason(join)).toBe("ID_REUSED");
});

test("P2: ids of different accounts do not meet", () => {
  const world = new World();
  const [anna, bob] = [world.register("anna"), world.register("bob")];
  const requestId = world.id();
  const request = { visibility: 1 as const, topic: "", requestId };
  world.ok(createRoomCommand({ ...request, name: "A" }, anna));
  world.ok(createRoomCommand({ ...request, name: "B" }, bob));
});

test("P2: only successes are remembered", () => {
  const world = new World();
  const anna = world.register("anna");
  const bob = world.register("bob");
  const roomId = world.room(anna, "Secret", 2);
  const join = joinRoomCommand({ roomId, requestId: world.id() }, bob);
  expect(world.reason(join)).toBe("PERMISSION_DENIED");
  expect(world.reason(join)).toBe("PERMISSION_DENIED");
  expect(world.db.prepare("SELECT count(*) AS n FROM requests").get()).toEqual({ n: 3 });
});

test("P2: an id older than a day of replicated time is refused, never executed", () => {
  const world = new World();
  const anna = world.register("anna");
  const request = (requestId: string) =>
    updateProfileCommand({ displayName: "Anna", requestId }, anna, "anna");
  const id = world.id();
  world.ok(request(id));
  world.nowMs += DAY_MS;
  expect(world.reason(request(id))).toBe("ok");
  expect(world.reason(request(uuid(world.nowMs - DAY_MS, 5000)))).toBe("ok");
  expect(world.reason(request(uuid(world.nowMs - DAY_MS - 1, 5000)))).toBe("ID_EXPIRED");
  expect(world.reason(request(uuid(world.nowMs + DAY_MS, 5001)))).toBe("ok");
  expect(world.reason(request(uuid(world.nowMs + DAY_MS + 1, 5001)))).toBe("INVALID_ARGUMENT");
  world.nowMs += 2 * DAY_MS + 1;
  expect(world.reason(request(id))).toBe("ID_EXPIRED");
});

test("P11: what is too old to be asked for is dropped, a little with every command", () => {
  const world = new World();
  const anna = world.register("anna");
  const rename = (n: number) =>
    updateProfileCommand({ displayName: `Anna ${n}`, requestId: world.id() }, anna, "anna");
  for (let n = 0; n < 10; n++) world.ok(rename(n));
  const count = () =>
    (world.db.prepare("SELECT count(*) AS n FROM requests").get() as { n: number }).n;
  expect(count()).toBe(11);
  world.nowMs += 2 * DAY_MS + 1;
  world.ok(rename(100));
  expect(count()).toBe(8);
  world.ok(rename(101));
  world.ok(rename(102));
  expect(count()).toBe(3);
  expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
});

test("P2, P11: an id forgotten for want of room is refused, never executed again", () => {
  const world = new World();
  const anna = world.register("anna");
  const rename = (n: number) =>
    updateProfileCommand(
      { displayName: `Anna ${n}`, requestId: uuid(world.nowMs + n, n) },
      anna,
      "anna",
    );
  for (let n = 1; n <= LIMITS.rememberedRequestsPerAccountMax; n++) world.ok(rename(n));
  expect(world.reason(rename(1))).toBe("ok");
  world.ok(rename(LIMITS.rememberedRequestsPerAccountMax + 1));
  expect(world.reason(rename(1))).toBe("ID_EXPIRED");
  expect(world.reason(rename(2))).toBe("ok");
  const rows = world.db.prepare("SELECT count(*) AS n FROM requests WHERE account_id = 1").get();
  expect(rows).toEqual({ n: LIMITS.rememberedRequestsPerAccountMax });
});

test("P2: a retried Register gives the account and says that the new token is not valid", () => {
  const world = new World();
  const request = { username: "anna", displayName: "", requestId: world.id() };
  const command = (n: number, passwordHash: string) =>
    registerCommand(request, {
      passwordHash,
      device: "",
      tokenHash: tokenHash(n),
      tokenTtlMs: TTL_MS,
    });
  const first = RegisterResponse.decode(world.ok(command(1, "salt one")));
  const retry = RegisterResponse.decode(world.ok(command(2, "salt two")));
  expect(retry).toEqual({ ...first, tokenExpiresAtMs: 0 });
  // The very same command again, as a node re-sends it: its token is the valid one.
  expect(RegisterResponse.decode(world.ok(command(1, "salt one")))).toEqual(first);
  const other = registerCommand(
    { ...request, username: "bob" },
    { passwordHash: "x", device: "", tokenHash: tokenHash(3), tokenTtlMs: TTL_MS },
  );
  expect(world.reason(other)).toBe("ID_REUSED");
});

test("P2: a retried login makes no second session", () => {
  const world = new World();
  const anna = world.register("anna");
  const requestId = world.id();
  const login = (n: number) =>
    createSessionCommand({ device: "phone", requestId }, anna.accountId, anna.credentialsRevision, {
      tokenHash: tokenHash(n),
      tokenTtlMs: TTL_MS,
    });
  expect(LoginResponse.decode(world.ok(login(800))).tokenExpiresAtMs).toBe(world.nowMs + TTL_MS);
  expect(LoginResponse.decode(world.ok(login(801))).tokenExpiresAtMs).toBe(0);
  expect([...world.admission.sessionsOf(anna.accountId)]).toHaveLength(2);
});

test("P2: retries of what ended the session or the account still get the first result", () => {
  const world = new World();
  world.register("owner");
  const bob = world.register("bob");
  const phone = world.login(bob);
  const logout = endSessionCommand({ requestId: world.id() }, phone, phone.sessionId);
  const first = world.ok(logout);
  expect(world.ok(logout)).toEqual(first);
  const goodbye = deleteAccountCommand({ requestId: world.id() }, bob, bob.credentialsRevision);
  const gone = world.ok(goodbye);
  expect(world.ok(goodbye)).toEqual(gone);
});

test("nothing secret is remembered or left in the file after it is gone", () => {
  const world = new World();
  const owner = world.register("owner");
  const bob = world.register("bob");
  world.ok(deleteAccountCommand({ requestId: world.id() }, bob, bob.credentialsRevision));
  const everything = dump(world.db);
  expect(everything).toContain("phc-owner");
  expect(everything).not.toContain("phc-bob");
  const rows = world.db.prepare("SELECT response FROM requests").all() as {
    response: Uint8Array;
  }[];
  for (const { response } of rows) {
    expect(Buffer.from(response).toString("latin1")).not.toContain("phc");
  }
  expect(world.admission.session(owner.sessionId)).toBeDefined();
});
