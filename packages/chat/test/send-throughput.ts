// How many sends a second the machine applies, in batches as the node makes them:
//   node packages/chat/test/send-throughput.ts [sends] [file]
// Prints; asserts nothing, because a machine that does other things is slow.
import { Command } from "@parley/protocol";
import { joinRoomCommand, stampCommand } from "../src/index.ts";
import { World } from "./world.ts";

const BATCH = 100;
const ROOMS = 64;
const ACCOUNTS = 50;

const sends = Number(process.argv[2] ?? 100_000);
const file = process.argv[3] ?? ":memory:";
const world = new World(file);
if (file !== ":memory:")
  world.db.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 16000",
  );

const accounts = Array.from({ length: ACCOUNTS }, (_, i) => world.register(`writer-${i}`));
const owner = accounts[0];
if (owner === undefined) throw new Error("no accounts");
const rooms = Array.from({ length: ROOMS }, (_, i) => world.room(owner, `room ${i}`));
for (const account of accounts.slice(1)) {
  for (const roomId of rooms) {
    world.ok(joinRoomCommand({ roomId, requestId: world.id() }, account));
  }
}

const body = "All human beings are born free and equal in dignity and rights. ".repeat(3);
const commands: Uint8Array[] = [];
for (let i = 0; i < sends; i++) {
  const actor = accounts[(i * 7) % ACCOUNTS] ?? owner;
  const roomId = rooms[(i * 13) % ROOMS] ?? 0;
  const clientMessageId = `018f0000-0000-7000-8000-${i.toString(16).padStart(12, "0")}`;
  const command = world.sendOf(actor, roomId, body, { clientMessageId });
  commands.push(stampCommand(Command.encode(command).finish(), world.nowMs + i));
}

const startedMs = performance.now();
const startedCpu = process.cpuUsage();
const term = world.machine.appliedTerm;
for (let at = 0; at < sends; at += BATCH) {
  const first = world.revision + 1;
  const batch = commands.slice(at, at + BATCH);
  world.machine.apply(batch.map((command, i) => ({ index: first + i, term, command })));
}
const tookMs = performance.now() - startedMs;
const cpu = process.cpuUsage(startedCpu);
const perSecond = Math.round((sends / tookMs) * 1000);
const micros = (value: number): string => (value / sends).toFixed(1);
console.log(
  `${sends} sends in batches of ${BATCH}: ${Math.round(tookMs)} ms, ${perSecond} a second; ` +
    `CPU a send ${micros(cpu.user)} µs user, ${micros(cpu.system)} µs system`,
);
if (world.machine.recomputeHash() !== world.machine.stateHash(0)?.hash) {
  throw new Error("the running hash is not that of the tables");
}
