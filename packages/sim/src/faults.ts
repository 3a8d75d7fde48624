// The nemesis: begins a fault now and then and ends it again. It goes beyond what the cluster must
// survive with a majority (then nothing may be lost, only waited for), but always lets it come back.
import type { ClientHost } from "./client-host.ts";
import type { Coverage } from "./coverage.ts";
import type { FaultKind, WorldOptions } from "./options.ts";
import type { Server } from "./server.ts";
import type { Network } from "./world/network.ts";
import type { Prng } from "./world/prng.ts";
import type { Scheduler } from "./world/scheduler.ts";
import type { Trace } from "./world/trace.ts";

export interface NemesisParts {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly trace: Trace;
  readonly coverage: Coverage;
  readonly random: Prng;
  readonly options: WorldOptions;
  readonly servers: readonly Server[];
  readonly clients: readonly ClientHost[];
  /** The node that leads the highest term seen, if it runs. */
  leader(): Server | undefined;
  /** The network loses frames of these kinds, or garbles one. */
  garbleNextFrame(from: string, to: string): void;
}

export class Nemesis {
  readonly #parts: NemesisParts;
  readonly #random: Prng;
  /** Ends of faults that are still going on. */
  readonly #running = new Set<() => void>();
  #stopped = false;
  faults = 0;

  constructor(parts: NemesisParts) {
    this.#parts = parts;
    this.#random = parts.random;
  }

  start(): void {
    this.#next();
    if (this.#parts.options.damageDisk) {
      const at = this.#parts.options.activeUs * (0.2 + 0.6 * this.#random.unit());
      this.#parts.scheduler.after(at, () => this.#damageDisk());
    }
  }

  /** Ends every fault and brings everything up that may run. */
  healAll(): void {
    this.#stopped = true;
    for (const end of [...this.#running]) end();
    this.#parts.network.healAll();
    for (const server of this.#parts.servers) {
      server.resume();
      server.powerOn();
      server.process?.slowDown(0);
      server.logDisk.fill(undefined);
      server.start();
    }
    for (const client of this.#parts.clients) client.start();
    this.#parts.trace.add("nemesis", "heals everything");
  }

  /** A process that ended by itself is started again, as a supervisor does. */
  supervise(server: Server): void {
    this.#during(this.#random.between(200_000, 3_000_000), () => server.start());
  }

  #next(): void {
    this.#parts.scheduler.after(this.#random.exponential(this.#parts.options.faultGapUs), () => {
      if (this.#stopped) return;
      this.#begin(this.#random.weighted(this.#parts.options.faultWeights));
      this.#next();
    });
  }

  #begin(kind: FaultKind): void {
    const { network, coverage, options } = this.#parts;
    const random = this.#random;
    const victim = this.#pickRunning();
    if (victim === undefined) return;
    this.faults += 1;
    switch (kind) {
      case "kill":
        return this.#crash(victim, "kill");
      case "kill-leader":
        return this.#crash(this.#parts.leader() ?? victim, "kill");
      case "kill-two": {
        this.#crash(victim, "kill");
        const second = this.#pickRunning();
        if (second !== undefined) this.#crash(second, "kill");
        return;
      }
      case "kill-all": {
        for (const server of this.#parts.servers) this.#crash(server, "kill");
        return;
      }
      case "power-cut":
        return this.#crash(victim, "power-cut");
      case "power-cut-unsynced": {
        // At the moment at which a write is under way.
        const writing = this.#parts.servers.find(
          (server) => server.isUp && server.logDisk.hasUnsynced,
        );
        return this.#crash(writing ?? this.#parts.leader() ?? victim, "power-cut");
      }
      case "terminate":
        victim.terminate(random.between(100, 3_000));
        return this.#during(random.between(500_000, 5_000_000), () => victim.start());
      case "pause":
      case "pause-leader":
      case "suspend": {
        const server = kind === "pause-leader" ? (this.#parts.leader() ?? victim) : victim;
        server.pause(kind === "suspend" ? "suspend" : "pause");
        return this.#during(random.between(100_000, 6_000_000), () => server.resume());
      }
      case "slow-node": {
        const process = victim.process;
        this.#say(victim.name, "is slow");
        process?.slowDown(random.between(50, 2_000));
        return this.#during(random.between(500_000, 4_000_000), () => process?.slowDown(0));
      }
      case "partition":
        return this.#partition(random.shuffled(this.#parts.servers), random.between(1, 2));
      case "isolate-leader": {
        const leader = this.#parts.leader() ?? victim;
        const others = this.#parts.servers.filter((server) => server !== leader);
        return this.#partition([leader, ...others], 1);
      }
      case "one-way-cut": {
        const from = victim;
        const to = random.pick(this.#parts.servers.filter((server) => server !== from));
        coverage.add("one-way-cuts");
        return this.#cut([[from.name, to.name]], `cuts ${from.name} → ${to.name}`);
      }
      case "break-link": {
        const other = random.pick(this.#parts.servers.filter((server) => server !== victim));
        const client = random.pick(this.#parts.clients);
        const name = random.chance(0.6) ? other.name : client.name;
        this.#say("nemesis", `breaks the links between ${victim.name} and ${name}`);
        network.breakLinks(victim.name, name);
        return;
      }
      case "slow-link": {
        const other = random.pick(this.#parts.servers.filter((server) => server !== victim));
        const factor = random.between(3, 100);
        this.#say("nemesis", `slows ${victim.name} → ${other.name} down by ${factor}`);
        network.setSlow(victim.name, other.name, factor);
        return this.#during(random.between(500_000, 8_000_000), () =>
          network.setSlow(victim.name, other.name, 1),
        );
      }
      case "garbage-frame": {
        const other = random.pick(this.#parts.servers.filter((server) => server !== victim));
        coverage.add("garbage-frames");
        this.#say("nemesis", `garbles a frame ${victim.name} → ${other.name}`);
        this.#parts.garbleNextFrame(victim.name, other.name);
        return;
      }
      case "disk-stall": {
        const durationUs = random.between(50_000, 5_000_000);
        this.#say(victim.name, `disk stalls for ${Math.round(durationUs / 1000)} ms`);
        coverage.add("disk-stalls");
        victim.logDisk.stall(durationUs);
        if (random.chance(0.3)) victim.chatDisk.stall(durationUs / 4);
        return;
      }
      case "sync-failure":
        this.#say(victim.name, "next sync fails");
        victim.logDisk.failNextSync("io");
        return;
      case "disk-full":
        this.#say(victim.name, "disk is full");
        victim.logDisk.fill(0);
        return this.#during(random.between(500_000, 4_000_000), () =>
          victim.logDisk.fill(undefined),
        );
      case "disk-nearly-full":
        this.#say(victim.name, "disk is nearly full");
        victim.logDisk.fill(options.tuning.diskReserveBytes / 2);
        return this.#during(random.between(2_000_000, 12_000_000), () =>
          victim.logDisk.fill(undefined),
        );
      case "wall-jump": {
        const byMs = random.between(-86_400_000, 86_400_000) / random.pick([1, 100, 10_000]);
        coverage.add("clock-jumps");
        this.#say(victim.name, `wall clock jumps by ${Math.round(byMs)} ms`);
        victim.clock.jumpWall(Math.round(byMs));
        return;
      }
      case "client-crash": {
        const client = random.pick(this.#parts.clients);
        client.crash();
        return this.#during(random.between(50_000, 3_000_000), () => client.start());
      }
      case "client-cut": {
        const client = random.pick(this.#parts.clients);
        const pairs: [string, string][] = [];
        for (const server of this.#parts.servers) {
          if (random.chance(0.6))
            pairs.push([client.name, server.name], [server.name, client.name]);
        }
        return this.#cut(pairs, `cuts ${client.name} off`);
      }
      default:
        kind satisfies never;
    }
  }

  #crash(server: Server, kind: "kill" | "power-cut"): void {
    server.crash(kind);
    this.#during(this.#random.between(100_000, 7_000_000), () => {
      server.powerOn();
      server.start();
    });
  }

  /** Separates the first servers of the list from the others. */
  #partition(servers: readonly Server[], size: number): void {
    const inside = servers.slice(0, size);
    const pairs: [string, string][] = [];
    const oneWay = this.#random.chance(0.2);
    for (const a of inside) {
      for (const b of servers.slice(size)) {
        pairs.push([a.name, b.name]);
        if (!oneWay) pairs.push([b.name, a.name]);
      }
    }
    this.#parts.coverage.add("partitions");
    const names = inside.map((server) => server.name).join(" ");
    this.#cut(pairs, `${oneWay ? "mutes" : "isolates"} ${names}`);
  }

  #cut(pairs: readonly (readonly [string, string])[], what: string): void {
    const { network } = this.#parts;
    this.#say("nemesis", what);
    for (const [from, to] of pairs) network.setCut(from, to, true);
    this.#during(this.#random.between(200_000, 9_000_000), () => {
      for (const [from, to] of pairs) network.setCut(from, to, false);
      this.#say("nemesis", `ends: ${what}`);
    });
  }

  /** The node's log loses acknowledged entries while it is down; it must never run again (P9). */
  #damageDisk(): void {
    const server = this.#pickRunning();
    if (this.#stopped || server === undefined) return;
    server.crash("kill");
    const left = server.logDisk.flipByte();
    if (left === undefined) {
      this.#during(1_000_000, () => server.start());
      return;
    }
    server.damaged = true;
    this.faults += 1;
    this.#parts.coverage.add("disks-damaged");
    this.#say(server.name, `log reopens with ${left} entries only`);
    this.#during(500_000, () => server.start());
  }

  #during(durationUs: number, end: () => void): void {
    const finish = (): void => {
      if (!this.#running.delete(finish)) return;
      scheduled.cancel();
      end();
    };
    this.#running.add(finish);
    const scheduled = this.#parts.scheduler.after(durationUs, finish);
  }

  #pickRunning(): Server | undefined {
    const running = this.#parts.servers.filter(
      (server) => server.isUp && server.suspendedBy === undefined,
    );
    return running.length === 0 ? undefined : this.#random.pick(running);
  }

  #say(who: string, what: string): void {
    this.#parts.trace.add(who, what);
  }
}
