import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ParleyError, Room, RoomRole, RoomVisibility } from "@parley/protocol";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ConfigError } from "../config/config-error.ts";
import { addressList, wholeNumber } from "./arguments.ts";
import { printable } from "./format.ts";
import { chatJson, clusterJson } from "./json.ts";
import { buildProgram } from "./program.ts";
import { findRoom } from "./rooms.ts";
import { describeError, exitCodeOf, runProgram } from "./run.ts";
import { SavedSignIns } from "./saved-sign-ins.ts";
import { resolveServers } from "./servers.ts";
import { formatTable } from "./table.ts";
import { UsageError } from "./usage-error.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-cli-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What commander says to a command line; "" = it takes it. */
async function complaint(...argv: string[]): Promise<string> {
  const program = buildProgram();
  let said = "";
  for (const command of [program, ...program.commands]) {
    command.configureOutput({ writeErr: (text) => (said += text), writeOut: () => {} });
    if (command.commands.length === 0) command.action(() => {});
  }
  await program.parseAsync(argv, { from: "user" }).catch(() => {});
  return said;
}

describe("the command line", () => {
  it("has every command that scripts rely on", () => {
    const names = buildProgram().commands.map((command) => command.name());
    for (const name of [
      ...["dev", "dev-control", "server", "chat", "register", "login", "logout", "send", "history"],
      ...[
        "accounts",
        "rooms",
        "create-room",
        "join",
        "dm",
        "unread",
        "status",
        "leader",
        "sessions",
      ],
      ...[
        "passwd",
        "reset-password",
        "delete-account",
        "subscribe",
        "registration",
        "invite-link",
        "invite-links",
        "revoke-invite",
        "password-link",
        "block",
        "unblock",
        "blocked",
        "star",
        "unstar",
        "mute",
        "unmute",
        "seen",
        "read-receipts",
        "mute-member",
        "unmute-member",
        "role",
        "update-room",
        "delete-room",
        "display-name",
        "use-password-link",
      ],
    ]) {
      expect(names).toContain(name);
    }
  });

  it("--json and --server are everywhere in the chat's commands", () => {
    for (const command of buildProgram().commands) {
      const local = ["dev", "dev-control", "server", "certs", "sessions", "restore", "recover"];
      if (local.includes(command.name())) continue;
      const flags = command.options.map((option) => option.long);
      expect(flags, command.name()).toEqual(expect.arrayContaining(["--json", "--server"]));
    }
  });

  it.each([
    [["server"], /required option '--id <n>'/],
    [["server", "--id", "0", "--config", "x"], /whole number of 1–1000000/],
    [["dev", "--nodes", "10"], /whole number of 1–9/],
    [["dev", "--base-port", "80"], /whole number of 1024–64000/],
    [["dev-control", "explode", "3"], /Allowed choices are kill, pause/],
    [["registration", "ajar"], /Allowed choices are open, invite-only, closed/],
    [["status", "--server", "nonsense"], /"nonsense" is not host:port/],
    [["history"], /missing required argument 'room'/],
    [["history", "lobby", "--limit", "201"], /whole number of 1–200/],
    [["nothing"], /unknown command 'nothing'/],
    [["send", "lobby", "--bogus"], /unknown option '--bogus'/],
  ])("%j is refused with a reason", async (argv, expected) => {
    expect(await complaint(...argv)).toMatch(expected);
  });

  it("with --json even a wrong command line is told as JSON", async () => {
    const said: string[] = [];
    const write = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      said.push(String(text));
      return true;
    });
    const before = process.exitCode;
    await runProgram(buildProgram(), ["history", "lobby", "--limit", "x", "--json"]);
    const code = process.exitCode;
    process.exitCode = before;
    write.mockRestore();
    expect(code).toBe(2);
    expect(JSON.parse(said.join(""))).toMatchObject({ error: { reason: "USAGE" } });
  });

  it("takes a text of several words", async () => {
    expect(await complaint("send", "lobby", "several", "words", "--json")).toBe("");
  });
});

describe("option values", () => {
  it("whole numbers", () => {
    expect(wholeNumber(1, 9)("3")).toBe(3);
    for (const text of ["", "1.5", "-1", "0x3", "10", " 3"]) {
      expect(() => wholeNumber(1, 9)(text), text).toThrow(/whole number/);
    }
  });
  it("addresses", () => {
    expect(addressList("a:1, [::1]:2,")).toEqual(["a:1", "[::1]:2"]);
    for (const text of ["", "a", "a:", "a:0", "a:65536", ":1", "http://a:1"]) {
      expect(() => addressList(text), text).toThrow();
    }
  });
});

describe("the servers of a command", () => {
  const empty = {};
  it("are those given, else PARLEY_SERVER, else the dev cluster above, else the default ports", () => {
    expect(resolveServers(["a:1"], { PARLEY_SERVER: "b:2" }, folder)).toEqual(["a:1"]);
    expect(resolveServers(undefined, { PARLEY_SERVER: "b:2, c:3" }, folder)).toEqual([
      "b:2",
      "c:3",
    ]);
    expect(resolveServers(undefined, empty, folder)[0]).toBe("127.0.0.1:7401");
  });
});

describe("saved sign-ins", () => {
  const one = {
    username: "ann",
    token: "t1",
    token_revision: 2,
    seen_revision: 3,
    cluster_id: "c1",
    servers: ["a:1", "b:1"],
  };
  it("are found by any server of their cluster, and readable by the owner alone", () => {
    const saved = new SavedSignIns(join(folder, "state"));
    expect(saved.find(["a:1"])).toBeUndefined();
    saved.save(one);
    saved.save({ ...one, cluster_id: "c2", servers: ["z:1"], username: "zoe" });
    expect(saved.find(["b:1", "x:9"])?.username).toBe("ann");
    expect(saved.find(["z:1"])?.username).toBe("zoe");
    expect(statSync(join(folder, "state", "sign-ins.json")).mode & 0o777).toBe(0o600);
  });
  it("are replaced for the same cluster, and removed", () => {
    const saved = new SavedSignIns(folder);
    saved.save(one);
    saved.save({ ...one, token: "t2", servers: ["b:1"] });
    expect(saved.find(["b:1"])?.token).toBe("t2");
    saved.remove(one);
    expect(saved.find(["a:1", "b:1"])).toBeUndefined();
  });
  it("that cannot be read count as none", () => {
    writeFileSync(join(folder, "sign-ins.json"), "{nonsense");
    expect(new SavedSignIns(folder).find(["a:1"])).toBeUndefined();
  });
});

describe("what went wrong", () => {
  it.each([
    [new UsageError("x"), 2],
    [new ConfigError("f", []), 2],
    [new ParleyError("WRONG_CREDENTIALS", "x"), 5],
    [new ParleyError("NOT_A_MEMBER", "x"), 5],
    [new ParleyError("NO_QUORUM", "x"), 4],
    [new ParleyError("DEADLINE_EXCEEDED", "x"), 4],
    [new ParleyError("ROOM_NOT_FOUND", "x"), 1],
    [new Error("x"), 1],
  ])("%s ends with %i", (error, code) => {
    expect(exitCodeOf(error)).toBe(code);
  });
  it("is one sentence, or an object with --json, and never a stack", () => {
    const error = new ParleyError("ROOM_NOT_FOUND", "There is no such room.");
    expect(describeError(error, false)).toMatch(/There is no such room\./);
    expect(describeError(error, false)).not.toMatch(/\n|at .*:\d+/);
    const throttled = new ParleyError("RATE_LIMITED", "too many failed logins", {
      retryAfterMs: 12_300,
    });
    expect(describeError(throttled, false)).toMatch(/logins \(try again in 13 s\)/);
    expect(JSON.parse(describeError(error, true))).toEqual({
      error: { reason: "ROOM_NOT_FOUND", message: "There is no such room." },
    });
  });
});

describe("output", () => {
  it("JSON has the names of the .proto files and enums as words", () => {
    const reply = { unreadCount: 3, room: { visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC } };
    expect(JSON.parse(chatJson(reply))).toEqual({
      unread_count: 3,
      room: { visibility: "ROOM_VISIBILITY_PUBLIC" },
    });
    const event = { revision: 4, event: { $case: "message", value: { roomId: 2, seq: 9 } } };
    expect(JSON.parse(chatJson(event))).toEqual({ revision: 4, message: { room_id: 2, seq: 9 } });
    expect(JSON.parse(chatJson({ role: RoomRole.ROOM_ROLE_OWNER }))).toEqual({
      role: "ROOM_ROLE_OWNER",
    });
    expect(JSON.parse(clusterJson({ members: [{ role: 1, state: 3, lag: 0 }] }))).toEqual({
      members: [{ role: "MEMBER_ROLE_VOTER", state: "MEMBER_STATE_LEADER", lag: 0 }],
    });
  });
  it("tables are aligned, colours aside", () => {
    const columns = [
      { title: "n", align: "right" },
      { title: "name", align: "left" },
    ] as const;
    const rows = [
      ["10", "\u001b[31mred\u001b[39m"],
      ["1", "x"],
    ];
    expect(formatTable(columns, rows)).toEqual([
      " n  name",
      "10  \u001b[31mred\u001b[39m",
      " 1  x",
    ]);
  });
  it("what others wrote cannot steer the terminal", () => {
    expect(printable("a\u001b[2Jb\u0007c\u202ed\te")).toBe("ab\ufffdc\ufffdd    e");
    expect(printable("two\nlines")).toBe("two\nlines");
    expect(printable("\r\u009b31m")).not.toMatch(/\r|\u009b/);
  });
});

describe("the name of a room", () => {
  const room = (id: number, name: string, peer = "") =>
    Room.fromPartial({
      id,
      name,
      visibility:
        peer === "" ? RoomVisibility.ROOM_VISIBILITY_PUBLIC : RoomVisibility.ROOM_VISIBILITY_DIRECT,
      peer: peer === "" ? undefined : { id: 1, username: peer, displayName: peer },
    });
  const rooms = [room(1, "Lobby"), room(2, "1"), room(3, "", "ann")] as const;
  it.each([
    ["lobby", 1],
    ["#LOBBY", 1],
    ["1", 2],
    ["2", 2],
    ["@ann", 3],
    ["#3", 3],
  ])("%s means room %i", (reference, id) => {
    expect(findRoom(rooms, reference)?.id).toBe(id);
  });
  it.each(["@lobby", "9", "nowhere", ""])("%j means none", (reference) => {
    expect(findRoom(rooms, reference)).toBeUndefined();
  });
});
