// Any gRPC tool can use the server: one that reads reflection (buf curl), and stock gRPC with the
// .proto files from disk. Neither knows anything else of this project.
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bufCurl, type Curled } from "../harness/buf-curl.ts";
import { DevCluster, until } from "../harness/dev-cluster.ts";
import { leaderOf } from "../harness/status.ts";
import { failureOf, reasonOf, Stranger } from "../harness/stranger.ts";

let cluster: DevCluster;
const strangers: Stranger[] = [];

/** A stock client of one node. */
function stranger(nodeId: number, token = ""): Stranger {
  const one = new Stranger(cluster.node(nodeId).grpc, token);
  strangers.push(one);
  return one;
}

beforeAll(async () => {
  cluster = await DevCluster.start(3);
}, 150_000);

afterAll(async () => {
  for (const one of strangers) one.close();
  await cluster?.destroy();
});

/** Each `buf` is a process of its own, which on a busy machine takes seconds. */
const MANY_PROCESSES_MS_MAX = 300_000;

describe("buf curl, through reflection", { timeout: MANY_PROCESSES_MS_MAX }, () => {
  function curl(
    method: string,
    body: object,
    options: {
      token?: string;
      nodeId?: number;
      isEnough?: (stdout: string) => boolean;
    } = {},
  ): Promise<Curled> {
    const { token, nodeId = 1, isEnough } = options;
    const header = token === undefined ? [] : ["-H", `authorization: Bearer ${token}`];
    const url = `http://${cluster.node(nodeId).grpc}/${method}`;
    return bufCurl([...header, "-d", JSON.stringify(body), url], isEnough);
  }

  test("lists and describes the services, the standard health service among them", async () => {
    const list = await bufCurl(["--list-services", `http://${cluster.node(2).grpc}`]);
    expect(list.stdout.split("\n"), list.output).toEqual(
      expect.arrayContaining(["parley.v1.Chat", "parley.v1.Cluster", "grpc.health.v1.Health"]),
    );
    const health = await curl("grpc.health.v1.Health/Check", {});
    expect(health.replies, health.output).toEqual([{ status: "SERVING" }]);
  });

  test("registers, logs in, makes a room, sends, reads, follows and compares", async () => {
    const account = { username: "curly", password: "a long password", display_name: "Curly" };
    const registered = await curl("parley.v1.Chat/Register", account);
    expect(registered.replies[0], registered.output).toMatchObject({
      account: { username: "curly", displayName: "Curly" },
    });
    const login = await curl("parley.v1.Chat/Login", account, { nodeId: 2 });
    expect(login.code, login.output).not.toBe(0);
    expect(login.output).toContain("display_name");
    const { username, password } = account;
    const signedIn = await curl("parley.v1.Chat/Login", { username, password }, { nodeId: 2 });
    expect(signedIn.replies[0], signedIn.output).toMatchObject({ token: expect.any(String) });
    const token = String(signedIn.replies[0]?.token);

    const room = { name: "curls", visibility: "ROOM_VISIBILITY_PUBLIC" };
    const made = await curl("parley.v1.Chat/CreateRoom", room, { token, nodeId: 3 });
    expect(made.replies[0], made.output).toMatchObject({ room: { id: expect.any(String) } });
    const room_id = (made.replies[0]?.room as { id: string } | undefined)?.id ?? "";
    const send = { room_id, body: "from buf", client_message_id: "curl-1" };
    const sent = await curl("parley.v1.Chat/Send", send, { token });
    expect(sent.replies[0], sent.output).toMatchObject({ message: { seq: "1", body: "from buf" } });
    const wanted = { room_id, consistency: "CONSISTENCY_LINEARIZABLE" };
    const read = await curl("parley.v1.Chat/History", wanted, { token, nodeId: 2 });
    expect(read.replies[0], read.output).toMatchObject({
      messages: [{ body: "from buf", author: "curly" }],
    });

    // A stream that goes on: buf prints what comes until it is stopped.
    const followed = await curl(
      "parley.v1.Chat/Subscribe",
      { after_revision: 0 },
      { token, nodeId: 3, isEnough: (stdout) => stdout.includes('"body": "from buf"') },
    );
    expect(followed.output).toContain('"roomReset"');
    expect(followed.output).toContain('"body": "from buf"');

    const status_ = await curl("parley.v1.Cluster/Status", {}, { nodeId: 3 });
    expect(status_.replies[0]?.members, status_.output).toHaveLength(3);
    const hash = await curl("parley.v1.Cluster/StateHash", {});
    expect(hash.replies[0], hash.output).toMatchObject({
      appliedIndex: expect.any(String),
      hash: expect.stringMatching(/^[0-9a-f]{8,}$/),
    });

    const refused = await curl("parley.v1.Chat/History", { room_id });
    expect(refused.code).not.toBe(0);
    expect(refused.output).toContain("unauthenticated");
  });
});

describe("stock gRPC with the .proto files", () => {
  /** Each node once, the leader among them. */
  const nodeIds = [1, 2, 3];
  let ann: Stranger;
  let bob: Stranger;
  let roomId = 0;

  interface Message {
    readonly id: number;
    readonly room_id: number;
    readonly seq: number;
    readonly revision: number;
    readonly author_id: number;
    readonly author: string;
    readonly body: string;
    readonly sent_at_ms: number;
    readonly client_message_id: string;
    readonly deleted: boolean;
    readonly reply_to_seq: number;
  }

  async function register(nodeId: number, username: string): Promise<Stranger> {
    const one = stranger(nodeId);
    const request = { username, password: "a long password", display_name: `The ${username}` };
    const { account, token } = await one.chat("Register", request);
    expect(account).toMatchObject({ username, display_name: `The ${username}` });
    expect((account as { id: number }).id).toBeGreaterThan(0);
    expect(token).toMatch(/^\S{20,}$/);
    one.token = String(token);
    return one;
  }

  async function messagesOf(reader: Stranger, request: object): Promise<readonly Message[]> {
    const { messages } = await reader.chat("History", { room_id: roomId, ...request });
    return messages as readonly Message[];
  }

  /** A read that must be current may take its whole deadline, one with a min_revision a second only. */
  async function caughtUp(reader: Stranger): Promise<void> {
    await reader.chat("Unread", { consistency: "CONSISTENCY_LINEARIZABLE" });
  }

  test("Register without a request_id, Login, and the fields of Account", async () => {
    ann = await register(1, "ann");
    bob = await register(2, "bob");
    const taken = await failureOf(
      stranger(3).chat("Register", { username: "ANN", password: "a long password" }),
    );
    expect(taken.code).toBe(status.ALREADY_EXISTS);
    expect(reasonOf(taken)).toBe("USERNAME_TAKEN");

    for (const nodeId of nodeIds) {
      const { account, token, unread_count } = await stranger(nodeId).chat("Login", {
        username: "ann",
        password: "a long password",
      });
      expect(account).toMatchObject({ username: "ann", display_name: "The ann" });
      expect(Object.keys(account as object)).toEqual(
        expect.arrayContaining(["id", "username", "display_name", "online", "last_seen_ms"]),
      );
      expect(token).not.toBe(ann.token);
      expect(unread_count).toBe(0);
    }
    const wrong = await failureOf(stranger(1).chat("Login", { username: "ann", password: "no" }));
    expect(wrong.code).toBe(status.UNAUTHENTICATED);
    expect(reasonOf(wrong)).toBe("WRONG_CREDENTIALS");
  });

  test("CreateRoom, ListRooms, JoinRoom, and the fields of Room", async () => {
    const { room } = await ann.chat("CreateRoom", {
      name: "lobby",
      visibility: "ROOM_VISIBILITY_PUBLIC",
    });
    expect(room).toMatchObject({
      name: "lobby",
      visibility: "ROOM_VISIBILITY_PUBLIC",
      last_seq: 0,
      member_count: 1,
    });
    roomId = (room as { id: number }).id;
    const { room: hidden } = await ann.chat("CreateRoom", {
      name: "attic",
      visibility: "ROOM_VISIBILITY_PRIVATE",
    });
    const hiddenId = (hidden as { id: number }).id;
    const secret = await failureOf(bob.chat("JoinRoom", { room_id: hiddenId }));
    expect([status.NOT_FOUND, status.PERMISSION_DENIED]).toContain(secret.code);

    await bob.chat("JoinRoom", { room_id: roomId });
    const { rooms, revision } = await bob.chat("ListRooms", {
      consistency: "CONSISTENCY_LINEARIZABLE",
    });
    expect(rooms).toMatchObject([{ id: roomId, name: "lobby", member_count: 2 }]);
    expect(revision).toBeGreaterThan(0);
  });

  test("P1, P2: Send through every node: on two disks at least, and once however often", async () => {
    const leader = await leaderOf(cluster);
    expect(nodeIds).toContain(leader);
    for (const [at, nodeId] of nodeIds.entries()) {
      const writer = stranger(nodeId, at % 2 === 0 ? ann.token : bob.token);
      const request = {
        room_id: roomId,
        body: `through node ${nodeId}`,
        client_message_id: `via-${nodeId}`,
        reply_to_seq: at,
      };
      const { message, replicas } = await writer.chat("Send", request);
      expect(replicas).toBeGreaterThanOrEqual(2);
      expect(message).toMatchObject({
        room_id: roomId,
        seq: at + 1,
        author: at % 2 === 0 ? "ann" : "bob",
        body: `through node ${nodeId}`,
        client_message_id: `via-${nodeId}`,
        deleted: false,
        reply_to_seq: at,
      });
      const { id, revision, author_id, sent_at_ms } = message as Message;
      for (const number of [id, revision, author_id]) expect(number).toBeGreaterThan(0);
      expect(Math.abs(sent_at_ms - Date.now())).toBeLessThan(60_000);
      for (const other of nodeIds) {
        const again = await stranger(other, writer.token).chat("Send", request);
        expect(again.message).toEqual(message);
        expect(again.replicas).toBeGreaterThanOrEqual(2);
      }
    }
    const reused = { room_id: roomId, body: "other", client_message_id: "via-1" };
    const refused = await failureOf(ann.chat("Send", reused));
    expect(refused.code).toBe(status.ALREADY_EXISTS);
    expect(reasonOf(refused)).toBe("ID_REUSED");
    const early = { room_id: roomId, body: "x", client_message_id: "x" };
    const missing = await failureOf(
      ann.chat("Send", { ...early, after_client_message_id: "never sent" }),
    );
    expect(missing.code).toBe(status.FAILED_PRECONDITION);
    expect(reasonOf(missing)).toBe("PREDECESSOR_MISSING");
    await ann.chat("Send", { ...early, body: "4", after_client_message_id: "via-1" });
  });

  test("P3, P4: History, ascending, by before_seq, after_seq and limit, on every node", async () => {
    const { message } = await ann.chat("Send", {
      room_id: roomId,
      body: "5",
      client_message_id: "five",
    });
    const min_revision = (message as Message).revision;
    for (const nodeId of nodeIds) {
      const reader = stranger(nodeId, bob.token);
      await caughtUp(reader);
      const seqs = async (request: object) =>
        (await messagesOf(reader, { min_revision, ...request })).map(({ seq }) => seq);
      expect(await seqs({})).toEqual([1, 2, 3, 4, 5]);
      expect(await seqs({ limit: 2 })).toEqual([4, 5]);
      expect(await seqs({ before_seq: 4, limit: 2 })).toEqual([2, 3]);
      expect(await seqs({ after_seq: 1, limit: 2 })).toEqual([2, 3]);
      expect(await seqs({ after_seq: 1, before_seq: 4 })).toEqual([2, 3]);
      for (const consistency of ["CONSISTENCY_LOCAL", "CONSISTENCY_LINEARIZABLE"]) {
        expect(await seqs({ consistency, limit: 1 })).toEqual([5]);
      }
      await until(async () => {
        const reply = await reader.chat("History", { room_id: roomId, min_revision });
        expect(reply.revision).toBeGreaterThanOrEqual(min_revision);
        return reply.stale_ms === 0;
      }, "an answer of a node in touch with a quorum");
    }
    const hidden = await failureOf(stranger(1).chat("History", { room_id: roomId }));
    expect(hidden.code).toBe(status.UNAUTHENTICATED);
  });

  test("OpenDirect is one room for both, and Unread and MarkRead count", async () => {
    const { room } = await ann.chat("OpenDirect", { username: "bob" });
    const { room: same } = await bob.chat("OpenDirect", { username: "ann" });
    const directId = (room as { id: number }).id;
    expect((same as { id: number }).id).toBe(directId);
    for (const body of ["psst", "are you there?"]) {
      await ann.chat("Send", { room_id: directId, body, client_message_id: body });
    }
    const fresh = { consistency: "CONSISTENCY_LINEARIZABLE" };
    const unread = async () => {
      const reply = await bob.chat("Unread", fresh);
      expect(reply.revision).toBeGreaterThan(0);
      return (reply.rooms as { room_id: number; unread_count: number }[]).find(
        (one) => one.room_id === directId,
      )?.unread_count;
    };
    expect(await unread()).toBe(2);
    await bob.chat("MarkRead", { room_id: directId, seq: 1 });
    expect(await unread()).toBe(1);
    await bob.chat("MarkRead", { room_id: directId, seq: 2 });
    await bob.chat("MarkRead", { room_id: directId, seq: 1 });
    expect((await unread()) ?? 0).toBe(0);
    const login = await stranger(3).chat("Login", { username: "bob", password: "a long password" });
    const { unread_count } = await bob.chat("Unread", fresh);
    expect(login.unread_count).toBe(unread_count);
  });

  test("ListAccounts by glob, in pages", async () => {
    for (const name of ["carl", "carla", "carol"]) await register(3, name);
    const names: string[] = [];
    let page_token = "";
    do {
      const reply = await ann.chat("ListAccounts", {
        pattern: "car*",
        page_size: 2,
        page_token,
        consistency: "CONSISTENCY_LINEARIZABLE",
      });
      const accounts = reply.accounts as { username: string }[];
      expect(accounts.length).toBeLessThanOrEqual(2);
      names.push(...accounts.map(({ username }) => username));
      page_token = String(reply.next_page_token);
    } while (page_token !== "");
    expect(names.sort()).toEqual(["carl", "carla", "carol"]);
    const one = await ann.chat("ListAccounts", { pattern: "car?" });
    expect(one.accounts).toMatchObject([{ username: "carl" }]);
    const bad = await failureOf(ann.chat("ListAccounts", { page_token: "nonsense" }));
    expect(bad.code).toBe(status.INVALID_ARGUMENT);
  });

  test("Delete leaves a tombstone; Subscribe from 0 tells everything, in order (P5)", async () => {
    const { seq, body } = (await messagesOf(ann, { limit: 1 }))[0] as Message;
    const subscriber = stranger(2, bob.token).subscribe({ after_revision: 0 });
    type Event = { revision: number; event: string; message?: Message; message_changed?: Message };
    const events = () => subscriber.events as unknown as Event[];
    const news = () =>
      events().flatMap((one) => (one.message?.room_id === roomId ? [one.message] : []));
    await until(() => news().some((one) => one.seq === seq), "everything so far");
    expect(news().at(-1)).toMatchObject({ seq, body });

    const { deleted_count } = await ann.chat("Delete", { room_id: roomId, seqs: [seq] });
    expect(deleted_count).toBe(1);
    await until(() => events().some((one) => one.event === "message_changed"), "the deletion");
    const changed = events().find((one) => one.event === "message_changed")?.message_changed;
    expect(changed).toMatchObject({ seq, deleted: true, body: "" });
    await ann.chat("Send", { room_id: roomId, body: "after", client_message_id: "after" });
    await until(() => news().at(-1)?.body === "after", "a new one");
    expect(news().map((one) => one.seq)).toEqual(news().map((_, at) => at + 1));
    const revisions = events().map((one) => one.revision);
    expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
    expect(await messagesOf(ann, { after_seq: seq - 1, limit: 1 })).toMatchObject([
      { seq, deleted: true, body: "" },
    ]);
    subscriber.cancel();

    // Resumed from a cursor: what came after it, and nothing of before.
    const cursor = changed?.revision ?? 0;
    const elsewhere = stranger(3, bob.token);
    await caughtUp(elsewhere);
    const resumed = elsewhere.subscribe({ after_revision: cursor });
    await until(() => resumed.events.length > 0, "what came after the cursor");
    expect((resumed.events as unknown as Event[])[0]?.message?.body).toBe("after");
    resumed.cancel();
  });

  test("DeleteAccount needs the password, frees the name and keeps the messages", async () => {
    const gone = await register(1, "gone");
    await gone.chat("JoinRoom", { room_id: roomId });
    await gone.chat("Send", { room_id: roomId, body: "farewell", client_message_id: "bye" });
    const wrong = await failureOf(gone.chat("DeleteAccount", { password: "not this" }));
    expect(wrong.code).toBe(status.UNAUTHENTICATED);
    await gone.chat("DeleteAccount", { password: "a long password" });
    const after = await failureOf(gone.chat("Unread"));
    expect(after.code).toBe(status.UNAUTHENTICATED);
    const last = (await messagesOf(ann, { limit: 1 }))[0];
    expect(last).toMatchObject({ body: "farewell", author: "deleted account" });
    await register(2, "gone");
  });

  test("Cluster.Status and StateHash without a login; hashes equal at one index", async () => {
    type Member = { id: number; healthy: boolean; state: string };
    const roleOf = (id: number, leader: unknown) =>
      id === leader ? "MEMBER_STATE_LEADER" : "MEMBER_STATE_FOLLOWER";
    let answers: Awaited<ReturnType<Stranger["cluster"]>>[] = [];
    await until(async () => {
      answers = await Promise.all(nodeIds.map((id) => stranger(id).cluster("Status")));
      return answers.every(({ leader_id, members }) =>
        (members as Member[]).every(
          ({ id, healthy, state }) => healthy && state === roleOf(id, leader_id),
        ),
      );
    }, "all nodes to see a leader and two healthy followers");
    for (const answer of answers) {
      expect(answer.cluster_id).toBe(answers[0]?.cluster_id);
      expect(nodeIds).toContain(answer.leader_id);
      expect(answer.term).toBeGreaterThan(0);
      expect(answer.members).toHaveLength(3);
      for (const member of answer.members as Member[]) {
        const { id } = member;
        const { grpc, http } = cluster.node(id);
        expect(member).toMatchObject({
          raft_id: id,
          role: "MEMBER_ROLE_VOTER",
          state: roleOf(id, answer.leader_id),
          address: grpc,
          http_address: http.replace(/^http:\/\//, ""),
          commit_index: expect.any(Number),
          applied_index: expect.any(Number),
          match_index: expect.any(Number),
          last_contact_ms: expect.any(Number),
          healthy: true,
        });
      }
    }
    const now = await stranger(1).cluster("StateHash", { at_index: 0 });
    expect(now.applied_index).toBeGreaterThan(0);
    await until(async () => {
      const hashes = await Promise.all(nodeIds.map((id) => stranger(id).cluster("StateHash")));
      const distinct = new Set(hashes.map((one) => `${one.applied_index} ${one.hash}`));
      return distinct.size === 1;
    }, "one hash at one index");
  });
});
