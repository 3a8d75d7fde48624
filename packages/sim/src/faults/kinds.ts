// Every kind of fault, one function each. A fault begins here and says when it ends.
import type { ClientHost } from "../client-host.ts";
import type { Coverage } from "../coverage.ts";
import type { FaultKind, WorldOptions } from "../options.ts";
import type { Server } from "../server.ts";
import type { Network } from "../world/network.ts";
import type { Prng } from "../world/prng.ts";

/** What a fault may do to the world. */
export interface FaultContext {
  readonly random: Prng;
  readonly network: Network;
  readonly coverage: Coverage;
  readonly options: WorldOptions;
  readonly servers: readonly Server[];
  readonly clients: readonly ClientHost[];
  /** The node that leads the highest term seen, if it runs. */
  leader(): Server | undefined;
  /** A node that runs and is not paused, other than `except`. */
  running(except?: Server): Server | undefined;
  /** Calls `end` after a time of the world, or sooner when everything is healed. */
  during(durationUs: number, end: () => void): void;
  garbleNextFrame(from: string, to: string): void;
  /** Whether enough copies of everything are left without this one's disk. */
  mayLoseDisk(server: Server): boolean;
  say(who: string, what: string): void;
}

type Ways = readonly (readonly [string, string])[];

function crash(world: FaultContext, server: Server, kind: "kill" | "power-cut"): void {
  server.crash(kind);
  restartLater(world, server);
}

function crashAtNext(world: FaultContext, victim: Server, step: "write" | "compact"): void {
  const server = world.random.chance(0.5) ? (world.leader() ?? victim) : victim;
  server.crashAtNext(step, world.random.chance(0.5) ? "kill" : "power-cut", () =>
    restartLater(world, server),
  );
}

function restartLater(world: FaultContext, server: Server): void {
  world.during(world.random.between(100_000, 7_000_000), () => {
    server.powerOn();
    server.start();
  });
}

function pause(world: FaultContext, server: Server, kind: "pause" | "suspend"): void {
  server.pause(kind);
  world.during(world.random.between(100_000, 6_000_000), () => server.resume());
}

/** Separates the first `size` servers of the list from the others. */
function partition(world: FaultContext, servers: readonly Server[], size: number): void {
  const inside = servers.slice(0, size);
  const oneWay = world.random.chance(0.2);
  const ways: [string, string][] = [];
  for (const a of inside) {
    for (const b of servers.slice(size)) {
      ways.push([a.name, b.name]);
      if (!oneWay) ways.push([b.name, a.name]);
    }
  }
  world.coverage.add("partitions");
  const names = inside.map((server) => server.name).join(" ");
  cut(world, ways, `${oneWay ? "mutes" : "isolates"} ${names}`);
}

function cut(world: FaultContext, ways: Ways, what: string): void {
  world.say("nemesis", what);
  for (const [from, to] of ways) world.network.setCut(from, to, true);
  world.during(world.random.between(200_000, 9_000_000), () => {
    for (const [from, to] of ways) world.network.setCut(from, to, false);
    world.say("nemesis", `ends: ${what}`);
  });
}

function otherThan(world: FaultContext, server: Server): Server {
  return world.random.pick(world.servers.filter((one) => one !== server));
}

/** Fills the disk to this many bytes for a while. */
function fill(world: FaultContext, server: Server, freeBytes: number, usMax: number): void {
  server.logDisk.fill(freeBytes);
  world.during(world.random.between(usMax / 6, usMax), () => server.logDisk.fill(undefined));
}

/** `victim` runs when the fault begins. */
export const FAULTS: Readonly<Record<FaultKind, (world: FaultContext, victim: Server) => void>> = {
  kill: (world, victim) => crash(world, victim, "kill"),
  "kill-leader": (world, victim) => crash(world, world.leader() ?? victim, "kill"),
  "kill-two": (world, victim) => {
    const second = world.running(victim);
    crash(world, victim, "kill");
    if (second !== undefined) crash(world, second, "kill");
  },
  "kill-all": (world) => {
    for (const server of world.servers) crash(world, server, "kill");
  },
  "power-cut": (world, victim) => crash(world, victim, "power-cut"),
  "crash-while-writing": (world, victim) => crashAtNext(world, victim, "write"),
  // What comes so seldom that no crash at any step meets it.
  "crash-in-phase": (world, victim) => {
    const phase = world.random.pick(["compact", "make", "receive", "finish"] as const);
    if (phase === "compact") {
      crashAtNext(world, victim, "compact");
      return;
    }
    // Whoever is the next to come to it.
    for (const server of world.servers) {
      server.chatDisk.copyDisk.crashAt(phase, () => {
        for (const other of world.servers) other.chatDisk.copyDisk.forgetCrash();
        crash(world, server, world.random.chance(0.5) ? "kill" : "power-cut");
      });
    }
  },
  terminate: (world, victim) => {
    const { random } = world;
    victim.terminate(random.between(100, 3_000));
    world.during(random.between(500_000, 5_000_000), () => victim.start());
  },
  pause: (world, victim) => pause(world, victim, "pause"),
  "pause-leader": (world, victim) => pause(world, world.leader() ?? victim, "pause"),
  suspend: (world, victim) => pause(world, victim, "suspend"),
  "slow-node": (world, victim) => {
    const { process } = victim;
    world.say(victim.name, "is slow");
    process?.slowDown(world.random.between(50, 2_000));
    world.during(world.random.between(500_000, 4_000_000), () => process?.slowDown(0));
  },
  partition: (world) => {
    const { random } = world;
    const sizeMax = Math.floor(world.servers.length / 2) + (random.chance(0.2) ? 1 : 0);
    partition(world, random.shuffled(world.servers), random.between(1, sizeMax));
  },
  "isolate-leader": (world, victim) => {
    const leader = world.leader() ?? victim;
    partition(world, [leader, ...world.servers.filter((server) => server !== leader)], 1);
  },
  "one-way-cut": (world, victim) => {
    const to = otherThan(world, victim);
    world.coverage.add("one-way-cuts");
    cut(world, [[victim.name, to.name]], `cuts ${victim.name} → ${to.name}`);
  },
  "break-link": (world, victim) => {
    const { random } = world;
    const other = random.chance(0.6) ? otherThan(world, victim) : random.pick(world.clients);
    world.say("nemesis", `breaks the links between ${victim.name} and ${other.name}`);
    world.network.breakLinks(victim.name, other.name);
  },
  "slow-link": (world, victim) => {
    const { network, random } = world;
    const other = otherThan(world, victim);
    const factor = random.between(3, 100);
    world.say("nemesis", `slows ${victim.name} → ${other.name} down by ${factor}`);
    network.setSlow(victim.name, other.name, factor);
    world.during(random.between(500_000, 8_000_000), () =>
      network.setSlow(victim.name, other.name, 1),
    );
  },
  "garbage-frame": (world, victim) => {
    const other = otherThan(world, victim);
    world.coverage.add("garbage-frames");
    world.say("nemesis", `garbles a frame ${victim.name} → ${other.name}`);
    world.garbleNextFrame(victim.name, other.name);
  },
  "disk-stall": (world, victim) => {
    const durationUs = world.random.between(50_000, 5_000_000);
    world.say(victim.name, `disk stalls for ${Math.round(durationUs / 1000)} ms`);
    world.coverage.add("disk-stalls");
    victim.logDisk.stall(durationUs);
    if (world.random.chance(0.3)) victim.chatDisk.stall(durationUs / 4);
  },
  "sync-failure": (world, victim) => {
    world.say(victim.name, "next sync fails");
    victim.logDisk.failNextSync("io");
  },
  "disk-full": (world, victim) => {
    world.say(victim.name, "disk is full");
    fill(world, victim, 0, 4_000_000);
  },
  "chat-file-lost": (world, victim) => {
    // What the log does not hold any more is gone with it, as with a whole disk.
    if (victim.isWitness || !world.mayLoseDisk(victim)) return;
    world.say(victim.name, "loses its chat file");
    victim.crash("kill");
    victim.loseChatFile();
    restartLater(world, victim);
  },
  "copy-damaged": (world, victim) => {
    world.say(victim.name, "will read a copy wrongly");
    victim.chatDisk.copyDisk.flipNext();
  },
  "crash-while-copying": (world, victim) => {
    const { random } = world;
    const { copyDisk } = victim.chatDisk;
    const then = () => crash(world, victim, random.chance(0.5) ? "kill" : "power-cut");
    // Installing is one step of many, and the one that must be all or nothing.
    if (random.chance(0.3)) copyDisk.crashAt("install", then);
    else copyDisk.crashAtNextStep(random.between(1, 30), then);
  },
  "disk-nearly-full": (world, victim) => {
    world.say(victim.name, "disk is nearly full");
    fill(world, victim, world.options.tuning.diskReserveBytes / 2, 12_000_000);
  },
  "wall-jump": (world, victim) => {
    const { random } = world;
    const rangeMs = 86_400_000 / random.pick([1, 100, 10_000]);
    const byMs = Math.round((random.unit() * 2 - 1) * rangeMs);
    world.coverage.add("clock-jumps");
    world.say(victim.name, `wall clock jumps by ${byMs} ms`);
    victim.clock.jumpWall(byMs);
  },
  "client-crash": (world) => {
    const client = world.random.pick(world.clients);
    client.crash();
    world.during(world.random.between(50_000, 3_000_000), () => client.start());
  },
  "client-cut": (world) => {
    const { random } = world;
    const client = random.pick(world.clients);
    const ways: [string, string][] = [];
    for (const { name } of world.servers) {
      if (random.chance(0.6)) ways.push([client.name, name], [name, client.name]);
    }
    cut(world, ways, `cuts ${client.name} off from ${ways.length / 2} nodes`);
  },
};
