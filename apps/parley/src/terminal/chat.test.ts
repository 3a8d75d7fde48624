// The chat against real processes that die.
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DevRun, leaderSeenBy, type ParleyProcess } from "../testing/dev-run.ts";
import { eventually } from "../testing/running-server.ts";

let run: DevRun;
beforeEach(() => {
  run = new DevRun();
});
afterEach(async () => await run.cleanUp());

const SLOW = { timeout: 180_000 };
/** A machine that is busy with other tests may take long to connect. */
const ACCOUNT = ["--username", "fay", "--password", "correct horse", "--timeout", "60"];

/** A chat with its own state folder, so that nothing of the machine's user is touched. */
function chat(...args: string[]) {
  const servers = run
    .cluster()
    .nodes.map((node) => node.grpc)
    .join(",");
  const env = { XDG_STATE_HOME: join(run.folder, "state"), PARLEY_SERVER: servers };
  return run.parley(["chat", ...ACCOUNT, ...args], env);
}

/** Resolves when `pattern` is on its output; a failure shows what was there instead. */
async function says(process: ParleyProcess, pattern: RegExp): Promise<void> {
  try {
    await eventually(String(pattern), () => pattern.test(process.output()));
  } catch (cause) {
    throw new Error(`${String(cause)}; it said:\n${process.output()}`);
  }
}

it(
  "P1: what could not be sent outlives the chat, and leaves once with the next one",
  SLOW,
  async () => {
    await run.start("--nodes", "1");
    const first = chat("--register");
    first.type("/create notes");
    first.type("before");
    await says(first, /#1 fay: before/);
    await run.control("kill", 1);
    await says(first, /-- reconnecting/);
    first.type("kept");
    first.type("/quit");
    expect(await first.ended).toBe(0);
    expect(first.output()).toMatch(/1 message is unsent: kept/);

    await run.control("restart", 1);
    // A chat that is just starting gives a dead address up after some seconds, as a person would want.
    await eventually("it serves", async () => (await leaderSeenBy(run.node(1).grpc)) === 1);
    const second = chat();
    await says(second, /#2 fay: kept/);
    second.type("/history");
    second.type("/quit");
    expect(await second.ended).toBe(0);
    expect(second.output()).not.toMatch(/#3/);
  },
);

it("P7: goes on through the death of the leader, without an error", SLOW, async () => {
  await run.start("--nodes", "3");
  const talk = chat("--register");
  talk.type("/create lobby");
  let seq = 0;
  const sayAndSee = async (text: string) => {
    seq += 1;
    talk.type(text);
    await eventually(text, () => talk.output().includes(`#${seq} fay: ${text}`));
  };
  await sayAndSee("hello");
  for (let round = 1; round <= 3; round += 1) {
    let leader = 0;
    await eventually("a leader", async () => {
      const status = await run.control("status");
      leader = status.ok ? Number(status.leader) : 0;
      return leader > 0;
    });
    expect(await run.control("kill", leader)).toMatchObject({ ok: true });
    await sayAndSee(`node ${leader} died`);
    await run.control("restart", leader);
    await sayAndSee(`node ${leader} is back`);
  }
  talk.type("/quit");
  expect(await talk.ended).toBe(0);
  expect(talk.output()).not.toMatch(/Not sent|error/i);
});
