import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readClusterFile, writeClusterFile } from "./cluster-file.ts";
import { askSupervisor, ControlServer, controlPath } from "./control.ts";
import { eraseData, prepareData } from "./data-folder.ts";
import { handleKey } from "./keys.ts";
import { LineSplitter } from "./line-splitter.ts";
import { LogFile } from "./log-file.ts";
import { LogReader } from "./log-line.ts";
import { claimFreePorts, claimPorts } from "./ports.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-dev-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("cluster.json", () => {
  const content = {
    nodes: [{ id: 1, pid: null, grpc: "127.0.0.1:1", http: "127.0.0.1:2", db_path: "/x" }],
    control: "/x/control.sock",
    supervisor_pid: 7,
  };
  it("is read back as it was written", () => {
    writeClusterFile(folder, content);
    expect(readClusterFile(folder)).toEqual(content);
  });
  it("that is missing or damaged is none", () => {
    expect(readClusterFile(folder)).toBeUndefined();
    writeFileSync(join(folder, "cluster.json"), '{"nodes": 3}');
    expect(readClusterFile(folder)).toBeUndefined();
  });
});

/**
 * A range that nothing holds, below the ports that the system gives out by itself: there, others come and go between a
 * look and its use. Runs side by side begin to look in different places.
 */
async function quietBase(nodeCount: number): Promise<number> {
  const claim = await claimFreePorts(20_000 + (process.pid % 500) * 20, nodeCount);
  if (claim === undefined) throw new Error("no range of ports is free");
  claim.release();
  return claim.base;
}

describe("ports", () => {
  it("that something holds are found, and another range is chosen", async () => {
    const port = (await quietBase(3)) + 2;
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    try {
      expect(await claimPorts(port - 2, 3)).toEqual({ taken: [port] });
      const claim = await claimFreePorts(port - 2, 3);
      expect(claim?.base).toBeGreaterThan(port - 2);
      claim?.release();
    } finally {
      server.close();
    }
  });
  it("are given to one cluster of many that begin at once, until it has stopped", async () => {
    const base = await quietBase(3);
    const claims = await Promise.all(Array.from({ length: 8 }, () => claimFreePorts(base, 3)));
    expect(new Set(claims.map((claim) => claim?.base)).size).toBe(8);
    expect(await claimPorts(base, 3)).toEqual({ taken: [base] });
    for (const claim of claims) claim?.release();
    const again = await claimPorts(base, 3);
    expect(again).toMatchObject({ base });
    if ("base" in again) again.release();
  });
});

describe("the data folder", () => {
  it("keeps its nodes and ports between runs", async () => {
    const base = await quietBase(3);
    const { config: first, ports } = await prepareData(folder, { nodes: 3, basePort: base });
    ports.release();
    expect(first.nodes.map((node) => node.dbPath)).toEqual(
      [1, 2, 3].map((id) => join(folder, `n${id}`, "parley.db")),
    );
    // One operator token for all, where the nodes and the commands look for it (P10).
    const tokens = ["", "n1", "n2", "n3"].map((at) =>
      readFileSync(join(folder, at, "operator.token"), "utf8"),
    );
    expect(new Set(tokens).size).toBe(1);
    const { config: again, ports: samePorts } = await prepareData(folder, {
      nodes: undefined,
      basePort: undefined,
    });
    samePorts.release();
    expect(again.nodes.map((node) => node.port)).toEqual(first.nodes.map((node) => node.port));
  });
  it("of another number of nodes is not touched, and the way out is told", async () => {
    const { ports } = await prepareData(folder, { nodes: 3, basePort: undefined });
    ports.release();
    const other = prepareData(folder, { nodes: 5, basePort: undefined });
    await expect(other).rejects.toThrow(/holds a cluster of 3 nodes, not 5.*--fresh/);
  });
  it("says which ports are taken when a base port is given", async () => {
    const port = (await quietBase(1)) + 1;
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    try {
      const prepared = prepareData(folder, { nodes: 1, basePort: port - 1 });
      await expect(prepared).rejects.toThrow(new RegExp(`Ports ${port} are taken`));
    } finally {
      server.close();
    }
  });
  it("is erased without touching what is not its own", () => {
    for (const name of ["n1", "n12", "logs", "notes", "n1x"]) mkdirSync(join(folder, name));
    writeFileSync(join(folder, "cluster.yaml"), "");
    writeFileSync(join(folder, "letter.txt"), "mine");
    eraseData(folder);
    expect(readFileSync(join(folder, "letter.txt"), "utf8")).toBe("mine");
    for (const name of ["n1", "n12", "logs"]) {
      expect(() => readFileSync(join(folder, name)), name).toThrow(/ENOENT/);
    }
    for (const name of ["notes", "n1x"]) {
      expect(() => readFileSync(join(folder, name)), name).toThrow(/EISDIR/);
    }
  });
});

describe("a node's log file", () => {
  it("P11: starts anew when it is full, and keeps the one before", () => {
    const path = join(folder, "logs", "n1.log");
    const log = new LogFile(path, 100);
    for (let at = 0; at < 10; at += 1) log.write(`${String(at).repeat(49)}\n`);
    const size = readFileSync(path).length + readFileSync(`${path}.1`).length;
    expect(size).toBeLessThanOrEqual(300);
    expect(readFileSync(path, "utf8")).toContain("9".repeat(49));
  });
});

describe("lines out of chunks", () => {
  it("come whole, and one without an end is cut", () => {
    const lines: string[] = [];
    const splitter = new LineSplitter((line) => lines.push(line));
    for (const chunk of ["a", "b\nc\n\nd", "e"]) splitter.push(chunk);
    expect(lines).toEqual(["ab", "c"]);
    splitter.end();
    expect(lines).toEqual(["ab", "c", "de"]);
    splitter.push("x".repeat(100_000));
    expect(lines.at(-1)).toHaveLength(100_000);
  });
});

describe("what a person sees of the logs", () => {
  const role = (fields: object) =>
    JSON.stringify({ level: "info", msg: "role", event: "role", ...fields });
  const read = (reader: LogReader, line: string) => {
    const text = reader.readable(line);
    return text === undefined ? undefined : stripVTControlCharacters(text).replace(/ +/g, " ");
  };
  it("is a line for each change of role, and none for a mere new term", () => {
    const reader = new LogReader();
    const looking = role({ role: "follower", leader: 0, term: 0, quorum: false });
    expect(read(reader, looking)).toBeUndefined();
    const follows = { role: "follower", leader: 2, term: 1, quorum: true };
    expect(read(reader, role(follows))).toBe("follows n2 term 1");
    expect(read(reader, role({ ...follows, term: 2 }))).toBeUndefined();
    const lost = { role: "follower", leader: 0, term: 2, quorum: false };
    expect(read(reader, role(lost))).toBe("no leader term 2");
    expect(read(reader, role({ ...lost, term: 3 }))).toBeUndefined();
    expect(read(reader, role({ ...lost, role: "candidate" }))).toBe("candidate term 2");
    const leads = { role: "leader", leader: 1, term: 4, quorum: true };
    expect(read(reader, role(leads))).toBe("leader term 4");
  });
  it("are warnings and what is worse, and what the runtime itself says", () => {
    const reader = new LogReader();
    const line = (level: string, more = {}) => JSON.stringify({ level, msg: "the disk", ...more });
    expect(read(reader, line("info"))).toBeUndefined();
    expect(read(reader, line("warn"))).toBe("the disk");
    expect(read(reader, line("warn", { reason: "NOT_READY" }))).toBeUndefined();
    expect(read(reader, line("warn", { source: "raft" }))).toBeUndefined();
    expect(read(reader, line("fatal"))).toBe("FATAL the disk");
    expect(read(reader, "Error: out of memory")).toBe("Error: out of memory");
  });
});

describe("keys", () => {
  it("choose a node and do something to it", () => {
    const done: string[] = [];
    const actions = {
      select: (id: number) => void done.push(`select ${id}`),
      kill: () => void done.push("kill"),
      togglePause: () => void done.push("pause"),
      toggleCut: () => void done.push("cut"),
      restart: () => void done.push("restart"),
      status: () => void done.push("status"),
      help: () => void done.push("help"),
      quit: () => void done.push("quit"),
    };
    for (const key of "3kpcrshxq\u0003") handleKey(key, actions);
    expect(done).toEqual([
      "select 3",
      "kill",
      "pause",
      "cut",
      "restart",
      "status",
      "help",
      "quit",
      "quit",
    ]);
  });
});

describe("the control socket", () => {
  it("answers requests, refuses nonsense, and is held by one supervisor", async () => {
    const path = controlPath(folder);
    const echo = async (request: object) => ({ ok: true as const, ...request });
    const server = new ControlServer(path, echo);
    expect(await server.listen()).toBe(true);
    try {
      expect(await askSupervisor(path, { cmd: "kill", node: 3 })).toEqual({
        ok: true,
        cmd: "kill",
        node: 3,
      });
      const nonsense = await askSupervisor(path, { cmd: "explode" } as never);
      expect(nonsense).toMatchObject({ ok: false });
      expect(await new ControlServer(path, echo).listen()).toBe(false);
    } finally {
      server.close();
    }
    await expect(askSupervisor(path, { cmd: "status" })).rejects.toThrow(/no dev cluster runs/);
  });
  it("of a supervisor that was killed is taken over", async () => {
    const path = controlPath(folder);
    writeFileSync(path, "");
    const server = new ControlServer(path, async () => ({ ok: true }));
    expect(await server.listen()).toBe(true);
    server.close();
  });
  it("has a short path however deep the folder is", () => {
    const deep = join(folder, "x".repeat(60), "y".repeat(60));
    expect(Buffer.byteLength(controlPath(deep))).toBeLessThanOrEqual(100);
    expect(controlPath(deep)).not.toBe(controlPath(`${deep}z`));
  });
});
