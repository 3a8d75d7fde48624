// Stars, mutes, read receipts and muted members at the terminal, against a real server.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ParleyClient } from "@parley/client";
import { grpcCarrier } from "@parley/client/grpc";
import { RoomVisibility } from "@parley/protocol";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { eventually, type RunningServer, startServer } from "../testing/running-server.ts";
import { Chat } from "./chat.ts";
import type { ChatScreen } from "./screen.ts";

let server: RunningServer;
let state: string;
/** What is to be undone, the last first. */
let ends: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  state = mkdtempSync(join(tmpdir(), "parley-state-"));
  vi.stubEnv("XDG_STATE_HOME", state);
  server = await startServer();
  ends = [];
});
afterEach(async () => {
  for (const end of ends.reverse()) await end();
  await server.stop();
  vi.unstubAllEnvs();
  rmSync(state, { recursive: true, force: true });
});

async function signUp(username: string): Promise<ParleyClient> {
  const client = new ParleyClient({ servers: server.address, carrier: grpcCarrier() });
  ends.push(() => client.close());
  await client.start();
  await client.register({ username, password: "correct horse" });
  return client;
}

/** Bob, a program, owns "attic" and "lobby"; ann is at a terminal, in both, with the lobby open. */
async function annAndBob() {
  const [ann, bob] = [await signUp("ann"), await signUp("bob")];
  const visibility = RoomVisibility.ROOM_VISIBILITY_PUBLIC;
  const ids: number[] = [];
  for (const name of ["attic", "lobby"]) {
    const { room } = await bob.call("createRoom", { name, visibility });
    const roomId = room?.id ?? 0;
    await ann.call("joinRoom", { roomId });
    ids.push(roomId);
  }
  const [attic = 0, lobby = 0] = ids;
  const lines: string[] = [];
  const screen: ChatScreen = {
    print: (text) => lines.push(text),
    setStatus() {},
    setPrompt() {},
    close() {},
  };
  const signIn = {
    ...{ token: ann.token, tokenRevision: ann.state.revision, clusterId: ann.state.clusterId },
    ...{ seenRevision: 0, servers: [server.address], key: "ann", isOwn: false, tls: undefined },
  };
  const chat = new Chat(screen, signIn, { isPlain: true, tellsTyping: false });
  const ended = chat.run();
  ends.push(async () => {
    chat.quit();
    await ended;
  });
  const shows = (pattern: RegExp) =>
    eventually(`${pattern}, in ${lines.join(" / ")}`, () =>
      lines.some((line) => pattern.test(line)),
    );
  chat.enter("/join lobby");
  await eventually("the lobby is open", () => chat.open.id === lobby);
  return { ann, bob, attic, lobby, chat, lines, shows };
}

it("a muted room shows what mentions one, and no other message; a starred one says so", async () => {
  const { bob, attic, chat, lines, shows } = await annAndBob();
  chat.enter("/join attic");
  chat.enter("/star");
  await shows(/starred/);
  chat.enter("/mute");
  await shows(/starred and muted/);
  chat.enter("/join lobby");
  await eventually("the lobby is open", () => chat.open.id !== attic);
  await bob.send(attic, "nothing for her");
  await bob.send(attic, "@ann look");
  await shows(/attic.*@ann look/);
  expect(lines.some((line) => line.includes("nothing for her"))).toBe(false);
  expect(chat.book.waiting(attic)).toBe(1);
  chat.enter("/rooms");
  await shows(/★ attic.*\(muted\)/);
});

it("how far others have read is shown, until one turns it off", async () => {
  const { bob, lobby, chat, shows } = await annAndBob();
  await bob.send(lobby, "one");
  await bob.send(lobby, "two");
  await bob.call("markRead", { roomId: lobby, seq: 1 });
  chat.enter("/seen");
  await shows(/#1 {2}bob/);
  chat.enter("/receipts off");
  await shows(/nobody sees how far you have read/);
  chat.enter("/seen");
  await shows(/nobody shows how far/);
});

it("a muted member's message fails and says why; their admin mutes and unmutes by name", async () => {
  const { ann, bob, lobby, chat, shows } = await annAndBob();
  await bob.call("muteMember", { roomId: lobby, username: "ann", muted: true, durationMs: 60_000 });
  await shows(/you are muted until .* by an admin: lobby/);
  chat.enter("may I?");
  await shows(/An admin of this room has muted you until/);
  chat.enter("/mute-member bob");
  await shows(/Only admins and owners/);
  const made = await ann.call("createRoom", {
    name: "study",
    visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC,
  });
  await bob.call("joinRoom", { roomId: made.room?.id ?? 0 });
  chat.enter("/join study");
  chat.enter("/mute-member bob soon");
  await shows(/It goes like this: \/mute-member/);
  chat.enter("/mute-member bob 2h");
  await shows(/bob can't write here/);
  chat.enter("/who");
  await shows(/bob.*muted until/);
  chat.enter("/mute-member bob off");
  await shows(/bob can write here/);
});

it("an owner renames a room, gives roles by name, and deletes it when its name is typed", async () => {
  const { ann, bob, chat, lines, shows } = await annAndBob();
  const visibility = RoomVisibility.ROOM_VISIBILITY_PUBLIC;
  const { room } = await ann.call("createRoom", { name: "study", visibility });
  const roomId = room?.id ?? 0;
  await bob.call("joinRoom", { roomId });
  chat.enter("/join study");
  chat.enter("/role bob chief");
  await shows(/A role is one of member, admin, owner/);
  chat.enter("/role bob admin");
  await shows(/bob is admin here/);
  chat.enter("/rename studio one");
  await eventually("its name", () => chat.book.get(roomId)?.name === "studio one");
  chat.enter("/delete-room study");
  await shows(/for ever: \/delete-room studio one does it/);
  expect(lines.some((line) => line.includes("is gone"))).toBe(false);
  chat.enter("/delete-room studio one");
  await shows(/studio one is gone/);
  await expect(bob.call("history", { roomId })).rejects.toMatchObject({ reason: "ROOM_NOT_FOUND" });
});

it("others see the display name that one chooses; a sign-in that is forgotten elsewhere is ended by its number", async () => {
  const { ann, bob, chat, lines, shows } = await annAndBob();
  chat.enter("/name Ann of the attic");
  await shows(/others see you as Ann of the attic/);
  const { accounts } = await bob.call("listAccounts", { pattern: "ann" });
  expect(accounts[0]?.displayName).toBe("Ann of the attic");
  const elsewhere = new ParleyClient({ servers: server.address, carrier: grpcCarrier() });
  ends.push(() => elsewhere.close());
  await elsewhere.start();
  await elsewhere.login({ username: "ann", password: "correct horse", device: "a library" });
  const { sessions } = await ann.call("listSessions");
  const id = sessions.find(({ device }) => device === "a library")?.id ?? 0;
  chat.enter("/sessions");
  await shows(/a library/);
  expect(lines.some((line) => line.includes("this one"))).toBe(true);
  chat.enter("/sessions begin 3");
  await shows(/It goes like this: \/sessions/);
  chat.enter(`/sessions end ${id}`);
  await shows(/it is signed out/);
  await eventually("the end", () => elsewhere.token === "");
});
