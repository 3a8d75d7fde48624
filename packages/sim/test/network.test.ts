import { expect, test } from "vitest";
import { type Connection, type ConnectionEnd, Network } from "../src/world/network.ts";
import { Prng } from "../src/world/prng.ts";
import { VirtualProcess } from "../src/world/process.ts";
import { Scheduler } from "../src/world/scheduler.ts";

interface Side {
  readonly frames: number[];
  readonly ends: ConnectionEnd[];
  opened: boolean;
  drained: number;
}

function world(options: { backlogBytesMax?: number } = {}) {
  const scheduler = new Scheduler();
  const network = new Network(scheduler, new Prng(3), {
    latencyUsMin: 100,
    latencyUsMean: 1_000,
    bytesPerSecond: 10_000_000,
    backlogBytesMax: options.backlogBytesMax ?? 1_000_000,
    dialTimeoutUs: 1_000_000,
    keepaliveUs: 2_000_000,
  });
  network.addMachine("a");
  network.addMachine("b");
  const a = new VirtualProcess("a", scheduler);
  const b = new VirtualProcess("b", scheduler);
  const server = side();
  const accepted: Connection[] = [];
  const listen = (process: VirtualProcess): void =>
    network.listen("b", "s", process, (connection) => {
      accepted.push(connection);
      return eventsOf(server);
    });
  const client = side();
  const dial = (): Connection => network.dial(a, "a", "b", "s", eventsOf(client));
  return { scheduler, network, a, b, server, client, accepted, listen, dial };
}

function side(): Side {
  return { frames: [], ends: [], opened: false, drained: 0 };
}

function eventsOf(side: Side) {
  return {
    onOpen: () => {
      side.opened = true;
    },
    onFrame: (bytes: Uint8Array) => {
      side.frames.push(bytes[0] ?? -1);
    },
    onEnd: (end: ConnectionEnd) => {
      side.ends.push(end);
    },
    onDrain: () => {
      side.drained += 1;
    },
  };
}

function frame(n: number, length = 10): Uint8Array {
  return new Uint8Array(length).fill(n);
}

test("frames arrive once and in order, those sent before the connection is open too", async () => {
  const { scheduler, b, listen, dial, server, client } = world();
  listen(b);
  const connection = dial();
  for (let n = 0; n < 100; n++) connection.send(frame(n));
  expect(client.opened).toBe(false);
  await scheduler.run(1_000_000);
  expect(client.opened).toBe(true);
  expect(server.frames).toEqual(Array.from({ length: 100 }, (_, n) => n));
});

test("nothing listens: refused; nobody answers: a timeout", async () => {
  const { scheduler, network, dial, client } = world();
  dial();
  await scheduler.run(500_000);
  expect(client.ends).toEqual(["refused"]);
  network.powerOff("b");
  dial();
  await scheduler.run(3_000_000);
  expect(client.ends).toEqual(["refused", "timeout"]);
});

test("a killed process's connections end, and a new dial is refused", async () => {
  const { scheduler, b, listen, dial, client } = world();
  listen(b);
  dial();
  await scheduler.run(100_000);
  b.kill();
  await scheduler.run(200_000);
  expect(client.ends).toEqual(["closed"]);
  dial();
  await scheduler.run(300_000);
  expect(client.ends).toEqual(["closed", "refused"]);
});

test("a machine without power says nothing; only the keepalive finds out", async () => {
  const { scheduler, network, b, listen, dial, client } = world();
  listen(b);
  dial();
  await scheduler.run(100_000);
  network.powerOff("b");
  b.kill();
  await scheduler.run(1_500_000);
  expect(client.ends).toEqual([]);
  await scheduler.run(4_000_000);
  expect(client.ends).toEqual(["timeout"]);
});

test("a machine that is back knows nothing of old connections", async () => {
  const { scheduler, network, b, listen, dial, client } = world();
  listen(b);
  dial();
  await scheduler.run(100_000);
  network.powerOff("b");
  b.kill();
  await scheduler.run(300_000);
  network.powerOn("b");
  await scheduler.run(600_000);
  expect(client.ends).toEqual(["closed"]);
});

test("a cut direction holds its frames back, and delivers them in order when it heals", async () => {
  const { scheduler, network, b, listen, dial, server, accepted, client } = world();
  listen(b);
  const connection = dial();
  await scheduler.run(100_000);
  network.setCut("a", "b", true);
  connection.send(frame(1));
  connection.send(frame(2));
  accepted[0]?.send(frame(9));
  await scheduler.run(1_000_000);
  expect(server.frames).toEqual([]);
  expect(client.frames).toEqual([9]);
  network.setCut("a", "b", false);
  await scheduler.run(1_500_000);
  expect(server.frames).toEqual([1, 2]);
  expect([...server.ends, ...client.ends]).toEqual([]);
});

test("a cut that lasts ends the connection on both sides, the frames are lost", async () => {
  const { scheduler, network, b, listen, dial, server, client } = world();
  listen(b);
  const connection = dial();
  await scheduler.run(100_000);
  network.setCut("a", "b", true);
  connection.send(frame(1));
  await scheduler.run(5_000_000);
  network.setCut("a", "b", false);
  await scheduler.run(6_000_000);
  expect(client.ends).toEqual(["timeout"]);
  expect(server.ends).toEqual(["timeout"]);
  expect(server.frames).toEqual([]);
});

test("a broken link loses what was in flight, and both sides hear of it", async () => {
  const { scheduler, network, b, listen, dial, server, client } = world();
  listen(b);
  const connection = dial();
  await scheduler.run(100_000);
  connection.send(frame(1));
  expect(network.breakLinks("a", "b")).toBe(1);
  await scheduler.run(1_000_000);
  expect(server.frames).toEqual([]);
  expect([...client.ends, ...server.ends]).toEqual(["closed", "closed"]);
});

test("closing tells the other side after everything sent before", async () => {
  const { scheduler, b, listen, dial, server, client } = world();
  listen(b);
  const connection = dial();
  await scheduler.run(100_000);
  connection.send(frame(1));
  connection.close();
  expect(connection.send(frame(2))).toBe(false);
  await scheduler.run(1_000_000);
  expect(server.frames).toEqual([1]);
  expect(server.ends).toEqual(["closed"]);
  expect(client.ends).toEqual([]);
});

test("a full backlog drops the frame and says when there is room again", async () => {
  const { scheduler, b, listen, dial, server, client } = world({ backlogBytesMax: 1_000 });
  listen(b);
  const connection = dial();
  await scheduler.run(100_000);
  expect(connection.send(frame(1, 600))).toBe(true);
  expect(connection.send(frame(2, 600))).toBe(false);
  await scheduler.run(200_000);
  expect(client.drained).toBe(1);
  expect(server.frames).toEqual([1]);
});

test("a paused process keeps its connections, and reads them when it goes on", async () => {
  const { scheduler, b, listen, dial, server } = world();
  listen(b);
  const connection = dial();
  await scheduler.run(100_000);
  b.pause();
  connection.send(frame(1));
  await scheduler.run(1_000_000);
  expect(server.frames).toEqual([]);
  b.resume();
  await scheduler.run(1_100_000);
  expect(server.frames).toEqual([1]);
});
