// Who types, at the terminal: shown in the status line, told with every key of a text, and of nothing else.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ParleyClient, Typists } from "@parley/client";
import { grpcCarrier } from "@parley/client/grpc";
import { RoomVisibility } from "@parley/protocol";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { eventually, type RunningServer, startServer } from "../testing/running-server.ts";
import { keyboard, TinyTerminal } from "../testing/tiny-terminal.ts";
import { Chat } from "./chat.ts";
import { type ScreenEvents, TerminalScreen } from "./screen.ts";

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

/** Ann at a terminal, in the room that bob has made; bob is a program. */
async function annAndBob(tellsTyping: boolean) {
  const [ann, bob] = [await signUp("ann"), await signUp("bob")];
  const visibility = RoomVisibility.ROOM_VISIBILITY_PUBLIC;
  const { room } = await bob.call("createRoom", { name: "lobby", visibility });
  const roomId = room?.id ?? 0;
  await ann.call("joinRoom", { roomId });
  bob.subscribe();
  const typists = new Typists(bob);
  const terminal = new TinyTerminal(120);
  const keys = keyboard();
  let chat: Chat | undefined;
  const events: ScreenEvents = {
    onLine: (line) => chat?.enter(line),
    onTyping: (line) => chat?.typing(line),
    onEnd: () => chat?.quit(),
    complete: () => [],
  };
  const screen = new TerminalScreen(
    keys as unknown as NodeJS.ReadStream,
    terminal as unknown as NodeJS.WriteStream,
    events,
  );
  const signIn = {
    ...{ token: ann.token, tokenRevision: ann.state.revision, clusterId: ann.state.clusterId },
    ...{ seenRevision: 0, servers: [server.address], key: "ann", isOwn: false, tls: undefined },
  };
  chat = new Chat(screen, signIn, { isPlain: false, tellsTyping });
  const ended = chat.run();
  ends.push(async () => {
    chat?.quit();
    await ended;
    screen.close();
    typists.close();
  });
  await eventually("the room is open", () => terminal.lines.some((line) => /lobby>/.test(line)));
  const status = () => terminal.lines.find((line) => /· n1 ·/.test(line)) ?? "";
  return { roomId, bob, typists, keys, status, terminal };
}

it("others are told of the keys of a text, not of a command; the status line says who types", async () => {
  const { roomId, bob, typists, keys, status, terminal } = await annAndBob(true);
  const seen: string[] = [];
  typists.subscribe(() => seen.push(...typists.of(roomId).map(({ username }) => username)));
  keys.write("/history 5");
  await eventually("the command stands there", () => terminal.beforeCursor.endsWith("/history 5"));
  // What bob says after it has come back says that nothing came before.
  await eventually("bob is shown", () => {
    bob.typing(roomId);
    return status().endsWith("bob is typing…");
  });
  expect(seen).toEqual([]);
  await bob.send(roomId, "hello");
  await eventually("he has said it", () => !status().includes("typing"));
  await eventually("ann is shown to bob", () => {
    // As long as it takes: a signal may be lost.
    keys.write("\u0015hi");
    return typists.of(roomId).length > 0;
  });
  expect(typists.of(roomId).map(({ username }) => username)).toEqual(["ann"]);
  keys.write("\r");
  await eventually("she has said it", () => typists.of(roomId).length === 0);
});

it("who does not want to be seen typing is not", async () => {
  const { roomId, bob, typists, keys, terminal } = await annAndBob(false);
  keys.write("something");
  await eventually("it stands there", () => terminal.beforeCursor.endsWith("something"));
  keys.write("\r");
  const news: string[] = [];
  bob.onTyping(({ kind }) => news.push(kind));
  await eventually("it has come", () => news.length > 0);
  expect(news).toEqual(["sent"]);
  expect(typists.of(roomId)).toEqual([]);
});
