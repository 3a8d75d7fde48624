// A rolling upgrade: the older program on each server is replaced by the newer one, one server after the other, as an
// operator does it. Whatever restarts a server after its turn starts the newer one too.
import { STATE_VERSION } from "@parley/chat";
import type { Coverage } from "../coverage.ts";
import type { Server } from "../server.ts";
import type { Prng } from "../world/prng.ts";
import type { Scheduler } from "../world/scheduler.ts";
import type { Trace } from "../world/trace.ts";

export class RollingUpgrade {
  readonly #servers: readonly Server[];
  readonly #scheduler: Scheduler;
  readonly #random: Prng;
  readonly #trace: Trace;
  readonly #coverage: Coverage;

  constructor(
    servers: readonly Server[],
    scheduler: Scheduler,
    random: Prng,
    trace: Trace,
    coverage: Coverage,
  ) {
    this.#servers = servers;
    this.#scheduler = scheduler;
    this.#random = random;
    this.#trace = trace;
    this.#coverage = coverage;
  }

  start(afterUs: number): void {
    let atUs = afterUs;
    for (const server of this.#random.shuffled(this.#servers)) {
      this.#scheduler.after(atUs, () => this.#upgrade(server));
      atUs += this.#random.between(1_000_000, 5_000_000);
    }
  }

  #upgrade(server: Server): void {
    this.#trace.add("operator", `upgrades ${server.name}`);
    this.#coverage.add("servers-upgraded");
    server.stateVersion = STATE_VERSION;
    // What is down, or stopped by a fault, gets the newer program when it starts again.
    if (server.state !== "up" || server.suspendedBy !== undefined) return;
    server.terminate(this.#random.between(100, 1_000));
    this.#scheduler.after(this.#random.between(1_200_000, 4_000_000), () => server.start());
  }
}
