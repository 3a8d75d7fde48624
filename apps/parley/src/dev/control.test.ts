import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { askSupervisor, type ControlRequest, ControlServer, controlPath } from "./control.ts";

let folder = "";
let server: ControlServer;
const asked: ControlRequest[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "parley-control-"));
  asked.length = 0;
  server = new ControlServer(controlPath(folder), async (request) => {
    asked.push(request);
    // As a kill does, which is answered when the process is gone.
    await new Promise((resolve) => setImmediate(resolve));
    return request.cmd === "stop" ? { ok: false, error: "no" } : { ok: true, cmd: request.cmd };
  });
  expect(await server.listen()).toBe(true);
});
afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("the control socket", () => {
  it("answers one that has hung up its own side, as `nc -N` does", async () => {
    const socket = connect(controlPath(folder));
    socket.end('{"cmd":"kill","node":2}\nnonsense\n{"cmd":"status"}');
    const lines = (await text(socket)).trim().split("\n");
    expect(lines.map((line) => JSON.parse(line).ok).sort()).toEqual([false, true, true]);
    expect(asked).toEqual([{ cmd: "kill", node: 2 }, { cmd: "status" }]);
  });
  it("is the lock of its folder, and tells a refusal", async () => {
    const second = new ControlServer(controlPath(folder), async () => ({ ok: true }));
    expect(await second.listen()).toBe(false);
    const reply = await askSupervisor(controlPath(folder), { cmd: "stop" });
    expect(reply).toEqual({ ok: false, error: "no" });
  });
  it("says so where nobody listens", async () => {
    server.close();
    const asking = askSupervisor(controlPath(folder), { cmd: "status" });
    await expect(asking).rejects.toThrow(/no dev cluster runs there/);
  });
});
