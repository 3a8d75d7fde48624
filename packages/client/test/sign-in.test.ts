import { expect, test } from "vitest";
import { newWorld, sends, startedWorld, watch } from "./client-world.ts";
import { ALICE, type FakeSession, type SentRequest } from "./virtual-world.ts";

function login(session: FakeSession, request: SentRequest, token: string, revision: number): void {
  const value = {
    account: ALICE,
    token,
    unreadCount: 3,
    mentionCount: 0,
    tokenExpiresAtMs: 0,
    unread: [],
    revision,
  };
  session.reply(request, { $case: "login", value });
}

test("signing in greets the node anew with the token, and what waited in the outbox goes", async () => {
  const { clock, client, node } = await startedWorld(1, { token: "" });
  expect(client.state).toMatchObject({ phase: "online", signedIn: false });
  void client.send(1, "written while signed out").catch(() => {});
  await expect(client.call("history", {})).rejects.toMatchObject({ reason: "UNAUTHENTICATED" });
  node(1).onRequest = (session, request) => {
    if (request.op.$case === "login") login(session, request, "token", 12);
    if (request.op.$case === "send") session.commit(request, 20);
  };
  const signedIn = watch(client.login({ username: "alice", password: "correct horse" }));
  await clock.advance(1);
  expect(signedIn.value).toMatchObject({ token: "token", unreadCount: 3 });
  expect(client.token).toBe("token");
  expect(client.account?.username).toBe("alice");
  await clock.advance(1);
  expect(node(1).session.hellos.map(({ token }) => token)).toEqual(["", "token"]);
  expect(sends(node(1).session.requests).map(({ body }) => body)).toEqual([
    "written while signed out",
  ]);
  expect(client.state.pendingSends).toBe(0);
});

test("a token that is given while the first node is being greeted is not taken for a refused one", async () => {
  const { clock, client } = newWorld(1, { token: "" });
  let signedOut = 0;
  client.onSignedOut(() => signedOut++);
  await client.start();
  client.useToken("token");
  await clock.advance(1);
  expect(signedOut).toBe(0);
  expect(client.state).toMatchObject({ phase: "online", signedIn: true, account: ALICE });
});

test("a register that is repeated over a failover carries the same request id", async () => {
  const { clock, client, node, serving } = await startedWorld(2, { token: "" });
  void client.register({ username: "alice", password: "correct horse" }).catch(() => {});
  await clock.advance(1);
  const first = node(1).session.requests[0]?.op;
  node(1).kill();
  await clock.advance(10);
  expect(serving().id).toBe(2);
  expect(serving().session.requests[0]?.op).toEqual(first);
  expect(first?.value).toMatchObject({ requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
});

test("a refused token signs out, with unsent messages kept, and the connection goes on", async () => {
  const { clock, client, node } = await startedWorld(2);
  const reasons: string[] = [];
  client.onSignedOut(({ reason }) => reasons.push(reason));
  const sent = watch(client.send(1, "hello"));
  await clock.advance(1);
  for (const id of [1, 2]) node(id).tokens.clear();
  node(1).session.send({ goAway: { reason: "UNAUTHENTICATED", cursor: 0, retryAfterMs: 0 } });
  await clock.advance(100);
  expect(reasons).toEqual(["UNAUTHENTICATED"]);
  expect(client.state).toMatchObject({ phase: "online", signedIn: false, pendingSends: 1 });
  expect(sent.error).toBeUndefined();
});

test("a request refused as unauthenticated signs out too", async () => {
  const { clock, client, node } = await startedWorld(1);
  let signedOut = 0;
  client.onSignedOut(() => signedOut++);
  node(1).onRequest = (session, request) => session.refuse(request, "UNAUTHENTICATED");
  const read = watch(client.call("history", { roomId: 1 }));
  await clock.advance(1);
  expect(read.error).toMatchObject({ reason: "UNAUTHENTICATED" });
  expect([signedOut, client.token]).toEqual([1, ""]);
});

test("P4: a node that has not applied the sign-in yet does not sign anybody out", async () => {
  const { clock, client, node } = await startedWorld(2, { token: "young", tokenRevision: 25 });
  // Node 1 has applied 10 and does not know the token; node 2 does.
  let signedOut = 0;
  client.onSignedOut(() => signedOut++);
  node(2).tokens.add("young");
  await clock.advance(500);
  expect(client.state).toMatchObject({ phase: "online", nodeId: 2, signedIn: true });
  expect(signedOut).toBe(0);
});

test("a token that a current node does not know is signed out at once", async () => {
  const { client } = await startedWorld(2, { token: "old", tokenRevision: 5 });
  expect(client.state).toMatchObject({ phase: "online", signedIn: false });
});

test("logging out ends the session on the servers and forgets the token", async () => {
  const { clock, client, node } = await startedWorld(1);
  node(1).onRequest = (session, request) =>
    session.reply(request, { $case: "logout", value: { revision: 30 } });
  const out = watch(client.logout());
  await clock.advance(1);
  expect(out.error).toBeUndefined();
  await clock.advance(1);
  expect(client.state.signedIn).toBe(false);
  expect(node(1).session.hellos.at(-1)?.token).toBe("");
});

test("a message that one account wrote is never sent as another", async () => {
  const { clock, client, node } = await startedWorld(1);
  node(1).onRequest = (session, request) => {
    if (request.op.$case !== "login") return;
    node(1).tokens.add("bobs");
    const account = { ...ALICE, id: 8, username: "bob" };
    const value = {
      account,
      token: "bobs",
      unreadCount: 0,
      mentionCount: 0,
      tokenExpiresAtMs: 0,
      unread: [],
    };
    session.reply(request, { $case: "login", value: { ...value, revision: 12 } });
  };
  void client.send(1, "from alice").catch(() => {});
  await clock.advance(1);
  const before = node(1).session.requests.length;
  node(1).account = { ...ALICE, id: 8, username: "bob" };
  void client.login({ username: "bob", password: "correct horse" }).catch(() => {});
  await clock.advance(1);
  node(1).kill();
  node(1).mode = "up";
  await clock.advance(3_000);
  void client.send(1, "from bob").catch(() => {});
  await clock.advance(1);
  expect(before).toBe(1);
  expect(client.state.account?.username).toBe("bob");
  const bodies = sends(node(1).session.requests).map(({ body, afterClientMessageId }) => [
    body,
    afterClientMessageId,
  ]);
  expect(bodies).toEqual([["from bob", ""]]);
});
