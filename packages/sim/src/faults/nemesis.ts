// The nemesis: begins a fault now and then and ends it again. It goes beyond what the cluster must
// survive with a majority (then nothing may be lost, only waited for), but always lets it come back.
import type { ClientHost } from "../client-host.ts";
import type { Coverage } from "../coverage.ts";
import type { WorldOptions } from "../options.ts";
import type { Server } from "../server.ts";
import type { Network } from "../world/network.ts";
import type { Prng } from "../world/prng.ts";
import type { Scheduler } from "../world/scheduler.ts";
import type { Trace } from "../world/trace.ts";
import { FAULTS, type FaultContext } from "./kinds.ts";

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
}

export class Nemesis {
  readonly #parts: NemesisParts;
  readonly #random: Prng;
  readonly #context: FaultContext;
  /** Ends of faults that are still going on. */
  readonly #running = new Set<() => void>();
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
    this.#stopped = true;
    for (const end of [...this.#running]) end();
    this.#parts.network.healAll();
    for (const server of this.#parts.servers) {
      server.forgetCrash();
      if (server.isStopping) server.crash("kill");
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
    const finish = (): void => {
      if (!this.#running.delete(finish)) return;
      scheduled.cancel();
      end();
    };
    this.#running.add(finish);
    const scheduled = this.#parts.scheduler.after(durationUs, finish);
  }

  #pickRunning(except?: Server): Server | undefined {
    const running = this.#parts.servers.filter(
      (server) => server !== except && server.isUp && server.suspendedBy === undefined,
    );
    return running.length === 0 ? undefined : this.#random.pick(running);
  }
}
