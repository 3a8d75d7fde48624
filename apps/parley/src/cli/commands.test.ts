// The commands as scripts run them: processes against a real server.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort, type RunningServer, startServer } from "../testing/running-server.ts";

const PARLEY = fileURLToPath(new URL("../../bin/parley.mjs", import.meta.url));

let server: RunningServer;
let folder = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "parley-commands-"));
  server = await startServer();
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Result {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface RunOptions {
  /** Whose state folder: sign-ins of one are not seen by another. */
  readonly as?: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly node?: string;
}

function run(args: readonly string[], options: RunOptions = {}): Promise<Result> {
  const env = {
    ...process.env,
    XDG_STATE_HOME: join(folder, options.as ?? "ann"),
    PARLEY_SERVER: server.address,
    NO_COLOR: "1",
    ...options.env,
  };
  const child = spawn(options.node ?? process.execPath, [PARLEY, ...args], { cwd: folder, env });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    err += text;
  });
  child.stdin.end(options.input ?? "");
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, out, err })));
}

async function json(args: readonly string[], options: RunOptions = {}) {
  const result = await run([...args, "--json"], options);
  expect(result.err, args.join(" ")).toBe("");
  expect(result.code).toBe(0);
  return JSON.parse(result.out);
}

const SLOW = { timeout: 240_000 };

describe("commands for scripts", () => {
  it("register, talk, read, and see one another", SLOW, async () => {
    const ann = await json(["register", "--username", "ann", "--password", "correct horse"]);
    expect(ann.account).toMatchObject({ username: "ann", owner: true });
    expect(ann.token).toMatch(/^\S{20,}$/);
    const { room } = await json(["create-room", "lobby", "--topic", "all and sundry"]);
    expect(room).toMatchObject({ name: "lobby", visibility: "ROOM_VISIBILITY_PUBLIC" });
    expect((await run(["send", "lobby", "hello", "world"])).out).toMatch(/^#1 in lobby/);

    const bob = { as: "bob", env: { PARLEY_PASSWORD: "battery staple" } };
    await json(["register", "--username", "bob"], bob);
    await json(["join", "lobby"], bob);
    const history = await json(["history", "lobby"], bob);
    expect(history.messages).toMatchObject([{ seq: 1, body: "hello world", author: "ann" }]);
    await json(["dm", "ann", "psst"], bob);
    expect(await json(["unread"])).toMatchObject({ unread_count: 1 });
    expect((await run(["history", "@bob"])).out).toMatch(/#1 bob: psst/);

    const once = ["send", "lobby", "exactly once", "--id", "my-id"];
    const [first, again] = [await json(once), await json(once)];
    expect(again.message.seq).toBe(first.message.seq);

    const found = await json(["search", "hell*", "from:@ann"], bob);
    expect(found.hits).toMatchObject([{ message: { body: "hello world" }, ranges: [{ end: 5 }] }]);
    expect((await run(["search", '"hello world"'], bob)).out).toMatch(
      /\[lobby\] #1 ann: hello world/,
    );
    const refused = await run(["search", "has:cake"], bob);
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("link, file")]);

    const accounts = await json(["accounts", "b*"]);
    expect(accounts.accounts).toMatchObject([{ username: "bob" }]);
    expect((await json(["rooms"])).rooms).toHaveLength(2);
  });

  it(
    "rooms are looked after by their admins and owners; people choose the name that others see",
    SLOW,
    async () => {
      const bob = { as: "bob" };
      await json(["create-room", "corridor"]);
      await json(["join", "corridor"], bob);
      await json(["role", "corridor", "bob", "admin"]);
      await json(["update-room", "corridor", "--name", "hall", "--topic", "bob's idea"], bob);
      const none = await run(["update-room", "hall"], bob);
      expect([none.code, none.err]).toEqual([
        2,
        expect.stringContaining("--name, --topic or both"),
      ]);
      expect((await run(["role", "hall", "ann", "member"], bob)).err).toMatch(/Only an owner/);
      expect((await json(["display-name", "Robert"], bob)).account.display_name).toBe("Robert");
      expect((await run(["who", "hall"])).out).toMatch(/Robert.*admin/);
      const unsure = await run(["delete-room", "hall"]);
      expect([unsure.code, unsure.err]).toEqual([2, expect.stringContaining("--yes")]);
      expect((await run(["delete-room", "hall", "--yes"])).out).toMatch(/hall is gone/);
    },
  );

  it("P3: lines of standard input become messages in their order", SLOW, async () => {
    const lines = Array.from({ length: 300 }, (_, at) => `line ${at}`);
    await json(["create-room", "log"]);
    const sent = await run(["send", "log", "--stdin"], { input: lines.join("\n") });
    expect(sent.err).toBe("");
    const first = await json(["history", "log", "--after", "1", "--limit", "200"]);
    const bodies = first.messages.map((message: { body: string }) => message.body);
    expect(bodies).toEqual(lines.slice(1, 201));
  });

  it("threads are written, read and followed", SLOW, async () => {
    const bob = { as: "bob" };
    const { message } = await json(["send", "lobby", "lunch?"]);
    const seq = String(message.seq);
    const sent = await json(["send", "lobby", "--thread", seq, "at one"], bob);
    expect(sent.message).toMatchObject({ body: "at one", thread_root_seq: message.seq });
    const thread = await json(["thread", "lobby", seq]);
    expect(thread).toMatchObject({
      root: { body: "lunch?", thread: { reply_count: 1 } },
      messages: [{ body: "at one" }],
      followed: { unread_count: 1 },
    });
    expect((await run(["thread", "lobby", `#${seq}`])).out).toMatch(
      /ann: lunch\? {2}1 reply, .*\n.*bob \(thread #\d+\): at one\n$/,
    );
    expect((await run(["read", "lobby", "--thread", seq])).out).toMatch(
      /^The thread of #\d+ is read/,
    );
    expect((await json(["thread", "lobby", seq])).followed).toMatchObject({ unread_count: 0 });
    expect((await run(["follow", "lobby", seq, "--remove"], bob)).out).toMatch(/do not follow/);
    expect((await run(["read", "lobby", "--thread", seq], bob)).out).toMatch(/do not follow/);
  });

  it("files go with messages, and are saved from them", SLOW, async () => {
    const bob = { as: "bob" };
    const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * 7) & 0xff));
    const path = join(folder, "a picture.bin");
    writeFileSync(path, bytes);
    const { message } = await json(["send", "lobby", "--file", path, "--file", path, "look"]);
    expect(message).toMatchObject({
      body: "look",
      attachments: [{ name: "a picture.bin", size: bytes.length }, { name: "a picture.bin" }],
    });
    expect((await run(["history", "lobby"], bob)).out).toContain("📎 a picture.bin (196 KiB)");
    const saved = await json(["save", "lobby", `${message.seq}`, "--to", join(folder, "in")], bob);
    expect(saved.paths.map((one: string) => basename(one))).toEqual([
      "a picture.bin",
      "a picture (1).bin",
    ]);
    for (const one of saved.paths) expect(readFileSync(one).equals(bytes)).toBe(true);
    const none = await run(["save", "lobby", "1"], bob);
    expect([none.code, none.err]).toEqual([1, expect.stringContaining("no files")]);
    const missing = await run(["send", "lobby", "--file", join(folder, "missing")]);
    expect([missing.code, missing.err]).toEqual([1, expect.stringContaining("can't be read")]);
    truncateSync(path, 9 * 1024 * 1024);
    const large = await run(["send", "lobby", "--file", path]);
    expect([large.code, large.err]).toEqual([1, expect.stringContaining("more than 8 MiB")]);
  });

  it("subscribe prints events as they were", SLOW, async () => {
    const result = await run(["subscribe", "--after", "0", "--count", "3", "--json"]);
    const events = result.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events).toHaveLength(3);
    expect(events[0]).toHaveProperty("room_reset");
  });

  it("status and leader need no sign-in on loopback", SLOW, async () => {
    const nobody = { as: "nobody" };
    const status = await json(["status"], nobody);
    expect(status).toMatchObject({ leader_id: 1, has_quorum: true });
    expect(status.members[0]).toMatchObject({
      role: "MEMBER_ROLE_VOTER",
      state: "MEMBER_STATE_LEADER",
      healthy: true,
    });
    const text = (await run(["status"], nobody)).out;
    for (const title of ["role", "term", "commit", "applied", "lag", "address", "health"]) {
      expect(text).toContain(title);
    }
    expect(await json(["leader"], nobody)).toMatchObject({ leader_id: 1, address: server.address });
  });

  it("sign-ins are listed, revoked, and ended", SLOW, async () => {
    const carl = { as: "carl" };
    const name = ["--username", "carl"];
    await json(["register", ...name, "--password", "correct horse"], carl);
    await json(["login", ...name, "--password", "correct horse"], { as: "carl2" });
    const { sessions } = await json(["sessions"], carl);
    expect(sessions).toHaveLength(2);
    const other = sessions.find((one: { current: boolean }) => !one.current);
    await json(["sessions", "revoke", String(other.id)], carl);
    expect((await run(["rooms"], { as: "carl2" })).code).toBe(5);

    const changed = ["passwd", "--password", "correct horse", ...name];
    const renewed = [...changed, "--new-password", "battery staple"];
    expect((await run(renewed, carl)).code).toBe(0);
    expect((await run(["login", ...name, "--password", "correct horse"], carl)).code).toBe(5);
    const reset = ["reset-password", "carl", "--new-password", "forgotten again"];
    expect((await run(reset)).code).toBe(0);
    expect((await run(reset, { as: "bob" })).code).toBe(5);
    await json(["login", ...name, "--password", "forgotten again"], carl);
    const doomed = ["delete-account", "--yes"];
    const password = { PARLEY_PASSWORD: "forgotten again" };
    expect((await run(["delete-account"], { ...carl, env: password })).code).toBe(2);
    expect((await run(doomed, { ...carl, env: password })).out).toMatch(/carl is gone/);
    expect((await json(["accounts", "carl"])).accounts).toEqual([]);
  });

  it("a token in PARLEY_TOKEN is enough", SLOW, async () => {
    const fresh = { as: "dora" };
    const { token } = await json(
      ["register", "--username", "dora", "--password", "correct horse"],
      fresh,
    );
    const env = { PARLEY_TOKEN: token as string };
    expect((await json(["rooms"], { as: "nobody", env })).rooms).toEqual([]);
  });

  it("errors are one sentence, or JSON, with an exit code that says what kind", SLOW, async () => {
    const nobody = { as: "nobody" };
    const unsigned = await run(["rooms"], nobody);
    expect(unsigned.code).toBe(5);
    expect(unsigned.err).toMatch(/^parley: Nobody is signed in here\. Run `parley login`[^\n]*\n$/);
    const nowhere = await run(["send", "nowhere", "x", "--json"]);
    expect(nowhere.code).toBe(1);
    expect(JSON.parse(nowhere.err).error.reason).toBe("ROOM_NOT_FOUND");
    const wrong = await run(["login", "--username", "ann", "--password", "not this one"], nobody);
    expect(wrong.code).toBe(5);
    expect((await run(["send"])).code).toBe(2);
    const closed = `127.0.0.1:${await freePort()}`;
    for (const command of ["status", "rooms"]) {
      const started = ["--server", closed, "--timeout", "1", "--username", "ann"];
      const flags = command === "status" ? started.slice(0, 4) : [...started, "--password", "x"];
      const unreachable = await run([command, ...flags]);
      expect(unreachable.code, command).toBe(4);
      expect(unreachable.err).toMatch(/No server answers at/);
    }
  });
});

describe("a piped chat", () => {
  it("takes commands and texts as lines, in their order", SLOW, async () => {
    const input =
      "/create piped\nfirst\nsecond\n/reply 1 an answer\n/delete 2\n/history\n/nonsense\n/quit\n";
    const flags = ["--username", "eve", "--password", "correct horse", "--register"];
    const { out, code } = await run(["chat", ...flags], { as: "eve", input });
    expect(code).toBe(0);
    expect(out).toMatch(/Signed in as eve/);
    expect(out).toMatch(
      /#1 eve: first\n[\s\S]*#2 eve: second\n[\s\S]*#3 eve \(to #1 eve: first\): an answer/,
    );
    expect(out).toMatch(/There is no \/nonsense/);
    expect([...out.matchAll(/#1 eve: first\n/g)]).toHaveLength(1);
  });
});

describe("bin/parley.mjs", () => {
  it("works from any folder", SLOW, async () => {
    expect((await run(["--version"])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it(
    "hands over to the pinned Node when it is started with an older one",
    SLOW,
    async (context) => {
      const older = await olderNode();
      if (older === undefined)
        return context.skip("no older Node is installed beside the pinned one");
      const result = await run(["status", "--json"], { as: "nobody", node: older });
      expect(result.err).toBe("");
      expect(JSON.parse(result.out)).toMatchObject({ leader_id: 1 });
      expect((await run(["nothing"], { node: older })).code).toBe(2);
    },
  );
});

/** A `node` on the PATH that is older than the pinned one. */
async function olderNode(): Promise<string | undefined> {
  for (const directory of (process.env.PATH ?? "").split(delimiter)) {
    const candidate = join(directory, "node");
    const version = await new Promise<string>((resolve) => {
      const child = spawn(candidate, ["-p", "process.versions.node"]);
      let text = "";
      child.stdout.on("data", (data) => {
        text += String(data);
      });
      child.once("error", () => resolve(""));
      child.once("close", () => resolve(text.trim()));
    });
    const major = Number(version.split(".")[0]);
    if (version !== "" && major >= 20 && major < 26) return candidate;
  }
  return undefined;
}
