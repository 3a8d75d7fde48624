// A follower that the log can't catch up any more gets a copy of the chat file, while everybody talks on.
import {
  type CopyChunk,
  CopyFrame,
  CreateRoomRequest,
  CreateRoomResponse,
  HistoryRequest,
  HistoryResponse,
  type OperationName,
  RegisterRequest,
  RegisterResponse,
  RoomVisibility,
  SendRequest,
  SendResponse,
} from "@parley/protocol";
import { MemoryChatDisk } from "@parley/store";
import { afterEach, describe, expect, test } from "vitest";
import { LocalCluster } from "./local-cluster.ts";

let cluster: LocalCluster;
afterEach(() => cluster.close());

const SHORT_LOG = { logEntriesMax: 40, logTailEntries: 5, copyChunkBytes: 8 * 1024 };

async function boot(tuning = SHORT_LOG): Promise<void> {
  cluster = new LocalCluster(3, tuning);
  await Promise.all(cluster.configured.map((node) => cluster.start(node.id)));
  await cluster.leader();
}

function call(id: number, operation: OperationName, request: Uint8Array, token = "") {
  return cluster.services(id).chat.call(operation, request, {
    token,
    remote: "test",
    deadlineMs: performance.now() + 20_000,
    signal: undefined,
  });
}

async function signUp(id: number): Promise<string> {
  const request = RegisterRequest.fromPartial({ username: "ada", password: "correct horse" });
  const bytes = await call(id, "register", RegisterRequest.encode(request).finish());
  return RegisterResponse.decode(bytes).token;
}

async function makeRoom(id: number, token: string): Promise<number> {
  const visibility = RoomVisibility.ROOM_VISIBILITY_PUBLIC;
  const request = CreateRoomRequest.fromPartial({ name: "lobby", visibility });
  const bytes = await call(id, "createRoom", CreateRoomRequest.encode(request).finish(), token);
  return CreateRoomResponse.decode(bytes).room?.id ?? 0;
}

async function send(id: number, token: string, roomId: number, text: string): Promise<number> {
  const request = SendRequest.fromPartial({ roomId, body: text, clientMessageId: text });
  const bytes = await call(id, "send", SendRequest.encode(request).finish(), token);
  return SendResponse.decode(bytes).message?.revision ?? 0;
}

async function bodies(id: number, token: string, roomId: number, minRevision: number) {
  const request = HistoryRequest.fromPartial({ roomId, limit: 200, minRevision });
  const bytes = await call(id, "history", HistoryRequest.encode(request).finish(), token);
  return HistoryResponse.decode(bytes).messages.map(({ body }) => body);
}

async function until(what: string, done: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!done()) {
    if (performance.now() > deadline) {
      throw new Error(`${what} never came about:\n${everything().slice(-30).join("\n")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What the nodes logged, with their ids in front. */
function everything(): string[] {
  return [1, 2, 3].flatMap((id) => cluster.said(id).map((line) => `${id} ${line}`));
}

function logged(id: number, text: string): number {
  return everything().filter((line) => line.startsWith(`${id} `) && line.includes(text)).length;
}

async function caughtUp(id: number): Promise<void> {
  const lead = await cluster.leader();
  const revision = () => cluster.nodes.get(lead)?.replica?.appliedRevision ?? -1;
  await until(`node ${id} catches up`, () => {
    return cluster.nodes.get(id)?.replica?.appliedRevision === revision();
  });
}

/** A cluster with a message for each name, whose log begins after all of what node `away` has. */
async function leaveBehind(): Promise<{
  readonly token: string;
  readonly roomId: number;
  readonly away: number;
  readonly leader: number;
  readonly said: string[];
}> {
  const leader = await cluster.leader();
  const away = leader === 1 ? 2 : 1;
  const token = await signUp(leader);
  const roomId = await makeRoom(leader, token);
  const said: string[] = [];
  const say = async (text: string) => {
    said.push(text);
    return await send(leader, token, roomId, text);
  };
  const before = await say("before");
  await bodies(away, token, roomId, before);
  await cluster.kill(away);
  for (let at = 0; at < 120; at += 1) await say(`m${at}`);
  // A leader keeps what a follower in contact needs; it takes a moment until it counts as gone.
  const compactedTo = () =>
    Math.max(
      0,
      ...everything().map((line) => {
        const found = new RegExp(`^${leader} info the log was compacted .*"to":([0-9]+)`).exec(
          line,
        );
        return Number(found?.[1] ?? 0);
      }),
    );
  await until("the log is compacted", () => compactedTo() > before + 50);
  return { token, roomId, away, leader, said };
}

/** From now on one entry of the node's log reads as damaged, as the log on disk says it. */
function damageEntry(id: number, damagedIndex: number): void {
  const log = cluster.disks.get(id)?.log;
  if (log === undefined) throw new Error("no disk");
  const read = log.read.bind(log);
  const found = `the log entry at index ${damagedIndex} is damaged`;
  Object.assign(log, {
    read: async (lo: number, hi: number, bytesMax: number) => {
      const entries = await read(lo, hi, bytesMax);
      const isIn = entries.some(({ index }) => index === damagedIndex);
      return isIn ? { damagedIndex, found } : entries;
    },
  });
}

describe("a damaged log entry", () => {
  test("on a follower: it is named, what it did stays, and the log begins after it", async () => {
    await boot({ ...SHORT_LOG, logEntriesMax: 10_000 });
    const leader = await cluster.leader();
    const follower = leader === 1 ? 2 : 1;
    const token = await signUp(leader);
    const roomId = await makeRoom(leader, token);
    const said = ["first", "second", "third"];
    const revisions: number[] = [];
    for (const text of said) revisions.push(await send(leader, token, roomId, text));
    await caughtUp(follower);
    await cluster.kill(follower);
    const damaged = revisions[1] ?? 0;
    damageEntry(follower, damaged);
    await cluster.start(follower);
    await until("it is named", () => logged(follower, "a log entry is damaged") === 1);
    await until(
      "the log begins after it",
      () => logged(follower, `the log was compacted {"from":0,"to":${damaged}}`) === 1,
    );
    said.push("fourth");
    const last = await send(follower, token, roomId, "fourth");
    expect(await bodies(follower, token, roomId, last)).toEqual(said);
    // It leads with what it has.
    await cluster.kill(leader);
    const next = await cluster.leader();
    said.push("fifth");
    await send(next, token, roomId, "fifth");
    expect(await bodies(follower, token, roomId, last + 1)).toEqual(said);
    expect(cluster.fatal).toEqual([]);
  });

  test("on a leader: the follower that needs it gets a copy instead", async () => {
    // So small a cache that older entries are read from the disk.
    const tuning = { ...SHORT_LOG, logEntriesMax: 10_000, logCacheBytesMax: 2_000 };
    await boot(tuning);
    const leader = await cluster.leader();
    const away = leader === 1 ? 2 : 1;
    const token = await signUp(leader);
    const roomId = await makeRoom(leader, token);
    const said = ["before"];
    await send(leader, token, roomId, "before");
    await caughtUp(away);
    await cluster.kill(away);
    let damaged = 0;
    for (let at = 0; at < 120; at += 1) {
      const text = `m${at}`;
      said.push(text);
      const revision = await send(leader, token, roomId, text);
      if (at === 10) damaged = revision;
    }
    damageEntry(leader, damaged);
    await cluster.start(away);
    await until("it is named", () => logged(leader, "a log entry is damaged") === 1);
    await until("the copy is installed", () => logged(away, "was installed") > 0);
    await caughtUp(away);
    expect(await bodies(away, token, roomId, 0)).toEqual(said);
    expect(logged(leader, `the log was compacted {"from":0,"to":${damaged}}`)).toBe(1);
    expect(cluster.fatal).toEqual([]);
  });
});

describe("copies of the chat file", () => {
  test("P1, P5: a follower far behind comes back through a copy, with sends going on", async () => {
    await boot();
    const { token, roomId, away, leader, said } = await leaveBehind();
    let going = true;
    const talking = (async () => {
      for (let at = 0; going; at += 1) {
        said.push(`while ${at}`);
        await send(leader, token, roomId, `while ${at}`);
      }
    })();
    await cluster.start(away);
    await until("the copy is installed", () => logged(away, "was installed") > 0);
    going = false;
    await talking;
    const last = await send(leader, token, roomId, "last");
    said.push("last");
    expect(await bodies(away, token, roomId, last)).toEqual(said.slice(-200));
    await caughtUp(away);
    // It goes on like any other: it leads, once the others hand over, with all there is.
    await cluster.kill(leader);
    const next = await cluster.leader();
    const after = await send(next, token, roomId, "after");
    said.push("after");
    expect(await bodies(away, token, roomId, after)).toEqual(said.slice(-200));
    expect(cluster.fatal).toEqual([]);
  });

  test("the node restarts on the installed copy", async () => {
    await boot();
    const { token, roomId, away, said } = await leaveBehind();
    await cluster.start(away);
    await until("the copy is installed", () => logged(away, "was installed") > 0);
    await caughtUp(away);
    await cluster.kill(away);
    await cluster.start(away);
    await caughtUp(away);
    expect(await bodies(away, token, roomId, 0)).toEqual(said);
    expect(logged(away, "was installed")).toBe(1);
    expect(cluster.fatal).toEqual([]);
  });

  test("a transfer that breaks goes on where it was, a chunk that was changed is refused", async () => {
    await boot();
    const { token, roomId, away, said } = await leaveBehind();
    let chunks = 0;
    cluster.network.tamper = (target, bytes) => {
      if (!target.endsWith("copies")) return undefined;
      const frame = CopyFrame.decode(bytes);
      if (frame.chunk === undefined) return undefined;
      chunks += 1;
      if (chunks === 6) cluster.network.breakLinks(target);
      if (chunks !== 9) return undefined;
      const data = frame.chunk.data.slice();
      data[7] = (data[7] ?? 0) ^ 1;
      const chunk: CopyChunk = { ...frame.chunk, data };
      return CopyFrame.encode({ ...frame, chunk }).finish();
    };
    await cluster.start(away);
    await caughtUp(away);
    const says = (text: RegExp) => everything().some((line) => text.test(line));
    await until("it says that it resumed", () => says(/a copy was sent.*"from":[1-9]/));
    expect(says(/broke off.*is corrupt/)).toBe(true);
    expect(await bodies(away, token, roomId, 0)).toEqual(said);
    expect(cluster.fatal).toEqual([]);
  });

  test("P9: a node whose chat file is lost votes, serves nobody, and fetches a copy", async () => {
    await boot();
    const { token, roomId, away, leader, said } = await leaveBehind();
    await cluster.start(away);
    await caughtUp(away);
    await cluster.kill(away);
    const disk = cluster.disks.get(away);
    if (disk === undefined) throw new Error("no disk");
    cluster.disks.set(away, { ...disk, chatDisk: new MemoryChatDisk() });
    // Nobody can help it yet: it takes part all the same, so that the leader keeps its majority.
    cluster.network.tamper = (target, bytes) => {
      const isChunk = target.endsWith("copies") && CopyFrame.decode(bytes).chunk !== undefined;
      if (isChunk) cluster.network.breakLinks(target);
      return undefined;
    };
    const third = [1, 2, 3].find((id) => id !== away && id !== leader) ?? 0;
    const starting = cluster.start(away);
    await until("it says so", () => logged(away, "the chat file is lost") === 1);
    await cluster.kill(third);
    await send(leader, token, roomId, "with its vote");
    said.push("with its vote");
    expect(cluster.nodes.get(away)?.services).toBeUndefined();
    cluster.network.tamper = undefined;
    await starting;
    await caughtUp(away);
    expect(await bodies(away, token, roomId, 0)).toEqual(said);
    expect(cluster.fatal).toEqual([]);
  });

  test("P9: a leader of whose damaged chat file no copy can be made hands over and stops; started again, it fetches one", async () => {
    await boot();
    const { token, roomId, away, leader, said } = await leaveBehind();
    const damaged = cluster.disks.get(leader);
    if (damaged === undefined) throw new Error("no disk");
    damaged.chatDisk.db.exec("UPDATE messages SET body = 'something else' WHERE seq = 60");
    await cluster.start(away);
    await until("the leader stops", () => cluster.fatal.length > 0);
    expect(cluster.fatal).toMatchObject([{ kind: "corrupt" }]);
    expect(logged(leader, "handing leadership over")).toBe(1);
    expect(logged(leader, "this node stops")).toBe(1);
    await cluster.kill(leader);
    await damaged.log.close();
    const next = await cluster.leader();
    expect(next).not.toBe(leader);
    await until("the copy is installed", () => logged(away, "was installed") > 0);
    await send(next, token, roomId, "after");
    said.push("after");
    // Its store finds the damage, and puts the file aside.
    cluster.disks.set(leader, { ...damaged, chatDisk: new MemoryChatDisk() });
    await cluster.start(leader);
    for (const id of [away, leader]) {
      await caughtUp(id);
      expect(await bodies(id, token, roomId, 0)).toEqual(said);
    }
    expect(cluster.fatal).toHaveLength(1);
  });

  test("a damaged chat file is no reason to stop while nobody else could give a copy", async () => {
    await boot();
    const { token, roomId, away, leader, said } = await leaveBehind();
    const third = [1, 2, 3].find((id) => id !== away && id !== leader) ?? 0;
    cluster.disks
      .get(leader)
      ?.chatDisk.db.exec("UPDATE messages SET body = 'something else' WHERE seq = 60");
    await cluster.kill(third);
    cluster.start(away).catch(() => {});
    await until("the attempt", () => logged(leader, "making a copy of the chat file failed") > 0);
    expect(logged(leader, "this node stops")).toBe(0);
    expect(cluster.fatal).toEqual([]);
    await cluster.start(third);
    await until("the leader stops", () => cluster.fatal.length > 0);
    expect(logged(leader, "handing leadership over")).toBe(1);
    await cluster.kill(leader);
    await until("the copy is installed", () => logged(away, "was installed") > 0);
    expect(await bodies(third, token, roomId, 0)).toEqual(said);
  });
});
