// The reads of the chat: what is in them, who may have them, and where their pages end.
import {
  GetAccountRequest,
  GetAccountResponse,
  HistoryRequest,
  HistoryResponse,
  ListAccountsRequest,
  ListAccountsResponse,
  ListMembersRequest,
  ListMembersResponse,
  ListRoomsRequest,
  ListRoomsResponse,
  ListSessionsResponse,
} from "@parley/protocol";
import { expect, test } from "vitest";
import {
  type Actor,
  inviteMemberCommand,
  joinRoomCommand,
  leaveRoomCommand,
  openDirectCommand,
  removeMemberCommand,
} from "../src/index.ts";
import { World } from "./world.ts";

function operation(world: World, actor: Actor, name: string, request: Uint8Array): Uint8Array {
  const answer = world.read({ kind: "operation", operation: name, request, ...actor });
  if (answer.kind === "refused") throw new Error(answer.error.reason);
  if (answer.kind !== "response") throw new Error(`unexpected ${answer.kind}`);
  expect(answer.revision).toBe(world.revision);
  return answer.response;
}

function accounts(world: World, actor: Actor, request: Partial<ListAccountsRequest>) {
  const bytes = ListAccountsRequest.encode(ListAccountsRequest.create(request)).finish();
  return ListAccountsResponse.decode(operation(world, actor, "listAccounts", bytes));
}

function rooms(world: World, actor: Actor, request: Partial<ListRoomsRequest> = {}) {
  const bytes = ListRoomsRequest.encode(ListRoomsRequest.create(request)).finish();
  return ListRoomsResponse.decode(operation(world, actor, "listRooms", bytes));
}

function members(world: World, actor: Actor, request: Partial<ListMembersRequest>) {
  const bytes = ListMembersRequest.encode(ListMembersRequest.create(request)).finish();
  return ListMembersResponse.decode(operation(world, actor, "listMembers", bytes));
}

function history(world: World, actor: Actor, request: Partial<HistoryRequest>) {
  const bytes = HistoryRequest.encode(HistoryRequest.create(request)).finish();
  return HistoryResponse.decode(operation(world, actor, "history", bytes));
}

test("accounts are found by globs over the folded name; brackets mean themselves", () => {
  const world = new World();
  const anna = world.register("Anna");
  for (const name of ["bob", "Annika", "joanna", "dan-7"]) world.register(name);
  const names = (pattern: string) =>
    accounts(world, anna, { pattern }).accounts.map(({ username }) => username);
  expect(names("")).toEqual(["Anna", "Annika", "bob", "dan-7", "joanna"]);
  expect(names("*")).toHaveLength(5);
  expect(names("ANN*")).toEqual(["Anna", "Annika"]);
  expect(names("*anna")).toEqual(["Anna", "joanna"]);
  expect(names("?ob")).toEqual(["bob"]);
  expect(names("[ab]ob")).toEqual([]);
  expect(names("*n*-?")).toEqual(["dan-7"]);
});

test("accounts come in pages that together are all of them, once", () => {
  const world = new World();
  const anna = world.register("anna");
  for (let i = 0; i < 23; i++) world.register(`user-${i}`);
  const seen: string[] = [];
  let pageToken = "";
  do {
    const page = accounts(world, anna, { pageSize: 5, pageToken, pattern: "user*" });
    expect(page.accounts.length).toBeLessThanOrEqual(5);
    seen.push(...page.accounts.map(({ username }) => username));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  expect(seen).toHaveLength(23);
  expect(new Set(seen).size).toBe(23);
});

test("P11: pages over the maximum and long patterns are refused", () => {
  const world = new World();
  const anna = world.register("anna");
  const roomId = world.room(anna, "General");
  expect(() => accounts(world, anna, { pageSize: 201 })).toThrow("INVALID_ARGUMENT");
  expect(() => rooms(world, anna, { pageSize: 1001 })).toThrow("INVALID_ARGUMENT");
  expect(() => history(world, anna, { roomId, limit: 201 })).toThrow("INVALID_ARGUMENT");
  expect(() => accounts(world, anna, { pattern: "*".repeat(129) })).toThrow("TOO_LARGE");
});

test("P11: a page token that this very list did not give out is refused", () => {
  const world = new World();
  const anna = world.register("anna");
  const bob = world.register("bob");
  const [one, two] = [world.room(anna, "One"), world.room(anna, "Two")];
  for (const roomId of [one, two]) {
    world.ok(joinRoomCommand({ roomId, requestId: world.id() }, bob));
  }
  const carol = world.register("carol");
  type Ask = (pageToken: string) => { readonly nextPageToken: string };
  const lists: Readonly<Record<string, Ask>> = {
    accounts: (pageToken) => accounts(world, anna, { pageSize: 1, pageToken }),
    "accounts by pattern": (pageToken) =>
      accounts(world, anna, { pageSize: 1, pageToken, pattern: "*b*" }),
    "own rooms": (pageToken) => rooms(world, anna, { pageSize: 1, pageToken }),
    "somebody else's rooms": (pageToken) => rooms(world, bob, { pageSize: 1, pageToken }),
    "public rooms": (pageToken) => rooms(world, carol, { public: true, pageSize: 1, pageToken }),
    "members of one": (pageToken) => members(world, anna, { roomId: one, pageSize: 1, pageToken }),
    "members of two": (pageToken) => members(world, anna, { roomId: two, pageSize: 1, pageToken }),
  };
  world.register("robby");
  const made = Object.entries(lists).map(([name, ask]) => [name, ask("").nextPageToken] as const);
  for (const [name, ask] of Object.entries(lists)) {
    for (const [source, token] of made) {
      expect(token, source).not.toBe("");
      const what = `${name} with a token of ${source}`;
      if (name === source) expect(() => ask(token), what).not.toThrow();
      else expect(() => ask(token), what).toThrow("INVALID_ARGUMENT");
    }
    const own = ask("").nextPageToken;
    const changed = `${own.slice(0, -1)}${own.endsWith("z") ? "y" : "z"}`;
    for (const bad of ["x", "-1", "0", "nonsense", "9".repeat(300), own.slice(0, 16), changed]) {
      expect(() => ask(bad), `${name} with ${bad}`).toThrow("INVALID_ARGUMENT");
    }
  }
});

test("an account is found by name, by id, or as oneself", () => {
  const world = new World();
  const [anna, bob] = [world.register("anna"), world.register("Bob")];
  const get = (request: Partial<GetAccountRequest>) =>
    GetAccountResponse.decode(
      operation(
        world,
        anna,
        "getAccount",
        GetAccountRequest.encode(GetAccountRequest.create(request)).finish(),
      ),
    ).account?.username;
  expect(get({})).toBe("anna");
  expect(get({ username: "BOB" })).toBe("Bob");
  expect(get({ accountId: bob.accountId })).toBe("Bob");
  expect(() => get({ username: "nobody" })).toThrow("ACCOUNT_NOT_FOUND");
  expect(() => get({ accountId: 999 })).toThrow("ACCOUNT_NOT_FOUND");
});

test("sessions are listed to their owner, the asking one marked", () => {
  const world = new World();
  const anna = world.register("anna");
  const phone = world.login(anna);
  world.login(world.register("bob"));
  const response = operation(world, phone, "listSessions", new Uint8Array(0));
  expect(ListSessionsResponse.decode(response).sessions).toMatchObject([
    { id: anna.sessionId, current: false },
    { id: phone.sessionId, current: true },
  ]);
});

test("one's own rooms, with role, read position and the peer of direct ones", () => {
  const world = new World();
  const [anna, bob] = [world.register("anna"), world.register("bob")];
  const general = world.room(anna, "General");
  world.ok(openDirectCommand({ requestId: world.id() }, bob, anna.accountId));
  const direct = world.revision;
  world.send(bob, direct, "hi");
  const secret = world.room(bob, "Secret", 2);
  expect(rooms(world, anna).rooms).toMatchObject([
    { id: general, name: "General", role: 3 },
    { id: direct, name: "", role: 1, lastSeq: 1, readSeq: 0, peer: { username: "bob" } },
  ]);
  expect(rooms(world, anna, { pattern: "b*" }).rooms.map(({ id }) => id)).toEqual([direct]);
  expect(rooms(world, bob).rooms.map(({ id }) => id)).toEqual([direct, secret]);
  const page = rooms(world, bob, { pageSize: 1 });
  expect(page.rooms.map(({ id }) => id)).toEqual([direct]);
  const last = rooms(world, bob, { pageSize: 1, pageToken: page.nextPageToken });
  expect(last).toMatchObject({ rooms: [{ id: secret }], nextPageToken: "" });
});

test("the directory has the public rooms that one is neither in nor banned from", () => {
  const world = new World();
  const [anna, bob] = [world.register("anna"), world.register("bob")];
  const ids = ["Zebra", "apple", "Mango", "Kiwi"].map((name) => world.room(anna, name));
  world.room(anna, "Hidden", 2);
  const [zebra = 0, apple = 0, mango = 0, kiwi = 0] = ids;
  world.ok(joinRoomCommand({ roomId: mango, requestId: world.id() }, bob));
  const ban = { roomId: kiwi, ban: true, requestId: world.id() };
  world.ok(removeMemberCommand(ban, anna, bob.accountId));
  const listed = rooms(world, bob, { public: true }).rooms;
  expect(listed.map(({ id }) => id)).toEqual([apple, zebra]);
  expect(listed[0]).toMatchObject({ role: 0, readSeq: 0 });
  const page = rooms(world, bob, { public: true, pageSize: 1 });
  const { nextPageToken: pageToken } = page;
  const next = rooms(world, bob, { public: true, pageSize: 1, pageToken });
  expect(next.rooms.map(({ id }) => id)).toEqual([zebra]);
  expect(rooms(world, bob, { public: true, pattern: "z*" }).rooms).toHaveLength(1);
});

test("members come in pages, with their roles", () => {
  const world = new World();
  const anna = world.register("anna");
  const roomId = world.room(anna, "General");
  for (const name of ["bob", "carol", "dave"]) {
    world.ok(joinRoomCommand({ roomId, requestId: world.id() }, world.register(name)));
  }
  const first = members(world, anna, { roomId, pageSize: 3 });
  expect(first.members.map(({ role }) => role)).toEqual([3, 1, 1]);
  const { nextPageToken: pageToken } = first;
  const last = members(world, anna, { roomId, pageSize: 3, pageToken });
  expect(last.members.map(({ account }) => account?.username)).toEqual(["dave"]);
  expect(last.nextPageToken).toBe("");
});

test("history: the newest, before, after, between; always ascending", () => {
  const world = new World();
  const anna = world.register("anna");
  const roomId = world.room(anna, "General");
  for (let i = 1; i <= 60; i++) world.send(anna, roomId, `m${i}`);
  const seqs = (request: Partial<HistoryRequest>) =>
    history(world, anna, { roomId, ...request }).messages.map(({ seq }) => seq);
  expect(seqs({}).length).toBe(50);
  expect(seqs({ limit: 3 })).toEqual([58, 59, 60]);
  expect(seqs({ limit: 3, beforeSeq: 10 })).toEqual([7, 8, 9]);
  expect(seqs({ limit: 3, beforeSeq: 2 })).toEqual([1]);
  expect(seqs({ limit: 3, afterSeq: 10 })).toEqual([11, 12, 13]);
  expect(seqs({ limit: 3, afterSeq: 10, beforeSeq: 12 })).toEqual([11]);
  expect(seqs({ afterSeq: 60 })).toEqual([]);
  expect(history(world, anna, { roomId, limit: 1 }).lastSeq).toBe(60);
});

test("public rooms are read by any account, others by their members, none by the banned", () => {
  const world = new World();
  const [anna, bob] = [world.register("anna"), world.register("bob")];
  const [open, secret] = [world.room(anna, "Open"), world.room(anna, "Secret", 2)];
  world.send(anna, open, "to all");
  expect(history(world, bob, { roomId: open }).messages).toHaveLength(1);
  expect(() => history(world, bob, { roomId: secret })).toThrow("NOT_A_MEMBER");
  expect(() => members(world, bob, { roomId: secret })).toThrow("NOT_A_MEMBER");
  const invite = { roomId: secret, requestId: world.id() };
  world.ok(inviteMemberCommand(invite, anna, bob.accountId));
  expect(history(world, bob, { roomId: secret }).messages).toHaveLength(0);
  world.ok(leaveRoomCommand({ roomId: secret, requestId: world.id() }, bob));
  expect(() => history(world, bob, { roomId: secret })).toThrow("NOT_A_MEMBER");
  const ban = { roomId: open, ban: true, requestId: world.id() };
  world.ok(removeMemberCommand(ban, anna, bob.accountId));
  expect(() => history(world, bob, { roomId: open })).toThrow("BANNED");
  expect(() => history(world, bob, { roomId: 999 })).toThrow("ROOM_NOT_FOUND");
});

test("malformed requests, unknown reads and unknown accounts are refused with the revision", () => {
  const world = new World();
  const anna = world.register("anna");
  const query = { kind: "operation", operation: "history", ...anna } as const;
  const garbage = Uint8Array.of(0xff, 0xff);
  expect(world.read({ ...query, request: garbage })).toMatchObject({
    kind: "refused",
    revision: 1,
    error: { reason: "MALFORMED" },
  });
  const request = new Uint8Array(0);
  expect(world.read({ ...query, operation: "constructor", request })).toMatchObject({
    error: { reason: "UNKNOWN_OPERATION" },
  });
  expect(world.read({ ...query, accountId: 99, request })).toMatchObject({
    error: { reason: "UNAUTHENTICATED" },
  });
  expect(world.read({ kind: "credentials", usernameKey: "nobody" })).toMatchObject({
    accountId: 0,
    passwordHash: "",
  });
});
