// The nemesis: begins a fault now and then and ends it again. It goes beyond what the cluster must
// survive with a majority (then nothing may be lost, only waited for), but always lets it come back.
import type { ClientHost } from "../client-host.ts";
import type { Coverage } from "../coverage.ts";
import type { WorldOptions } from "../options.ts";
import type { Server } from "../server.ts";
import type { Network } from "../world/network.ts";
import type { Prng } from "../world/prng.ts";
import type { Scheduled, Scheduler } from "../world/scheduler.ts";
import type { Trace } from "../world/trace.ts";
import { freeze } from "./freeze.ts";
import { FAULTS, type FaultContext } from "./kinds.ts";
import { andSomeMore, smallestSet } from "./quorum.ts";

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
  garbleNextFrame(from: string, to: string): void;
  /** Whether enough copies of everything are left without this one's disk. */
  mayLoseDisk(server: Server): boolean;
  /** Whether these can serve everybody, whatever the others are in. */
  canGoOnAlone(servers: readonly Server[]): boolean;
}

interface RunningFault {
  readonly scheduled: Scheduled;
}

export class Nemesis {
  readonly #parts: NemesisParts;
  readonly #random: Prng;
  readonly #context: FaultContext;
  /** Faults that are still going on. */
  readonly #running = new Set<RunningFault>();
  /** Nodes that stay in their faults. */
  readonly #frozen = new Set<Server>();
  #stopped = false;
  faults = 0;

  constructor(parts: NemesisParts) {
    this.#parts = parts;
    this.#random = parts.random;
    this.#context = {
      random: parts.random,
      network: parts.network,
      coverage: parts.coverage,
      options: parts.options,
      servers: parts.servers,
      clients: parts.clients,
      leader: () => parts.leader(),
      running: (except) => this.#pickRunning(except),
      during: (durationUs, end) => this.#during(durationUs, end),
      garbleNextFrame: (from, to) => parts.garbleNextFrame(from, to),
      mayLoseDisk: (server) => parts.mayLoseDisk(server),
      say: (who, what) => parts.trace.add(who, what),
    };
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
    this.#stopFaults();
    this.#frozen.clear();
    this.#parts.network.healAll();
    for (const server of this.#parts.servers) this.#heal(server);
    for (const client of this.#parts.clients) client.start();
    this.#parts.trace.add("nemesis", "heals everything");
  }

  /**
   * Ends every fault among a random smallest set of servers that can go on alone, and brings those up; each other node is left in a
   * fault for good. Returns the healed ones, and how the others are; undefined where not even all of them could go on.
   */
  healQuorum(): { readonly quorum: readonly Server[]; readonly frozen: string } | undefined {
    const { servers, network, clients, trace, options, canGoOnAlone } = this.#parts;
    const able = servers.filter((server) => server.state !== "lost" && !server.damaged);
    const ordered = this.#random.shuffled(able);
    const smallest = smallestSet(ordered, canGoOnAlone);
    if (smallest === undefined) return undefined;
    const quorum =
      options.spares === 0 ? smallest : andSomeMore(smallest, ordered, this.#random, canGoOnAlone);
    this.#stopFaults();
    network.healAll();
    const frozen: string[] = [];
    for (const server of servers) {
      server.forgetFaults();
      if (quorum.includes(server)) continue;
      this.#frozen.add(server);
      const others = servers.filter((other) => other !== server);
      const kind = freeze(server, { random: this.#random, network, others, clients });
      frozen.push(`${server.name} ${kind}`);
    }
    for (const server of quorum) this.#heal(server);
    for (const client of clients) client.start();
    const told = frozen.join(", ");
    trace.add("nemesis", `heals ${quorum.map(({ name }) => name).join(" ")}, leaves ${told}`);
    return { quorum, frozen: told };
  }

  #stopFaults(): void {
    this.#stopped = true;
    for (const { scheduled } of this.#running) scheduled.cancel();
    this.#running.clear();
  }

  #heal(server: Server): void {
    server.forgetFaults();
    if (server.isStopping) server.crash("kill");
    server.resume();
    server.powerOn();
    server.process?.slowDown(0);
    server.logDisk.fill(undefined);
    server.logDisk.endStall();
    server.start();
  }

  /** A process that ended by itself is started again, as a supervisor does. */
  supervise(server: Server): void {
    this.#during(this.#random.between(200_000, 3_000_000), () => {
      if (!this.#frozen.has(server)) server.start();
    });
  }

  #next(): void {
    const mean = this.#parts.options.faultGapUs;
    // Bounded, so that no seed is left with too few.
    const gap = Math.min(2 * mean, this.#random.exponential(mean));
    this.#parts.scheduler.after(gap, () => {
      if (this.#stopped) return;
      const kind = this.#random.weighted(this.#parts.options.faultWeights);
      const victim = this.#pickRunning();
      if (victim !== undefined) {
        this.faults += 1;
        FAULTS[kind](this.#context, victim);
      }
      this.#next();
    });
  }

  /** The node's log loses acknowledged entries while it is down; it must never run again (P9). */
  #damageDisk(): void {
    const server = this.#pickRunning();
    if (this.#stopped || server === undefined || !this.#parts.mayLoseDisk(server)) return;
    server.crash("kill");
    const left = server.logDisk.flipByte();
    if (left !== undefined) {
      server.damaged = true;
      this.faults += 1;
      this.#parts.coverage.add("disks-damaged");
      this.#parts.trace.add(server.name, `log reopens with ${left} entries only`);
    }
    this.#during(500_000, () => server.start());
  }

  #during(durationUs: number, end: () => void): void {
    const fault: RunningFault = {
      scheduled: this.#parts.scheduler.after(durationUs, () => {
        this.#running.delete(fault);
        end();
      }),
    };
    this.#running.add(fault);
  }

  #pickRunning(except?: Server): Server | undefined {
    const running = this.#parts.servers.filter(
      (server) => server !== except && server.isUp && server.suspendedBy === undefined,
    );
    return running.length === 0 ? undefined : this.#random.pick(running);
  }
}
