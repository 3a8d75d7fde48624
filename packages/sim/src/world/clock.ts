// A machine's clocks: a monotonic one that drifts and stands still while the machine is suspended,
// and a wall clock that drifts with it and jumps when somebody sets it.
import type { Prng } from "./prng.ts";
import type { VirtualProcess } from "./process.ts";
import type { Scheduled, Scheduler } from "./scheduler.ts";

/** The wall clock's time when the world begins: 2026-01-01T00:00:00Z. */
export const EPOCH_MS = 1_767_225_600_000;

export class MachineClock {
  readonly #scheduler: Scheduler;
  /** Local seconds per second of the world; 1.0002 runs fast by 200 ppm. */
  readonly #rate: number;
  #wallOffsetMs: number;
  #suspendedUs = 0;
  #suspendedSinceUs: number | undefined;

  constructor(scheduler: Scheduler, random: Prng, options: ClockOptions) {
    this.#scheduler = scheduler;
    this.#rate = 1 + ((random.unit() * 2 - 1) * options.driftPpmMax) / 1e6;
    this.#wallOffsetMs = (random.unit() * 2 - 1) * options.wallSkewMsMax;
  }

  monotonicMs(): number {
    const end = this.#suspendedSinceUs ?? this.#scheduler.nowUs;
    return ((end - this.#suspendedUs) / 1000) * this.#rate;
  }

  wallMs(): number {
    return Math.floor(EPOCH_MS + (this.#scheduler.nowUs / 1000) * this.#rate + this.#wallOffsetMs);
  }

  /** Somebody sets the wall clock. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** The machine sleeps: its monotonic clock stands still. */
  suspend(): void {
    this.#suspendedSinceUs ??= this.#scheduler.nowUs;
  }

  wake(): void {
    if (this.#suspendedSinceUs === undefined) return;
    this.#suspendedUs += this.#scheduler.nowUs - this.#suspendedSinceUs;
    this.#suspendedSinceUs = undefined;
  }

  /** Microseconds of the world that this many local milliseconds take. */
  worldUs(localMs: number): number {
    return (Math.max(0, localMs) * 1000) / this.#rate;
  }
}

export interface ClockOptions {
  readonly driftPpmMax: number;
  readonly wallSkewMsMax: number;
}

/** The clock port of one process; node and client take it as it is. */
export class ProcessClock {
  readonly #machine: MachineClock;
  readonly #scheduler: Scheduler;
  readonly #process: VirtualProcess;

  constructor(machine: MachineClock, scheduler: Scheduler, process: VirtualProcess) {
    this.#machine = machine;
    this.#scheduler = scheduler;
    this.#process = process;
  }

  monotonicMs(): number {
    return this.#machine.monotonicMs();
  }

  wallMs(): number {
    return this.#machine.wallMs();
  }

  after(delayMs: number, action: () => void): { cancel(): void } {
    // Real timers have a granularity of a millisecond, and fire late rather than early.
    const dueMs = this.#machine.monotonicMs() + Math.max(1, Math.ceil(delayMs));
    let cancelled = false;
    let scheduled: Scheduled;
    const arm = (): void => {
      const delayUs = this.#machine.worldUs(dueMs - this.#machine.monotonicMs());
      scheduled = this.#scheduler.after(delayUs, fire);
    };
    const fire = (): void => {
      this.#process.deliver(() => {
        if (cancelled) return;
        // The machine has slept meanwhile: its clock is not there yet.
        if (this.#machine.monotonicMs() + 0.01 < dueMs) arm();
        else action();
      });
    };
    arm();
    return {
      cancel: () => {
        cancelled = true;
        scheduled.cancel();
      },
    };
  }
}

/** The random port of one process. */
export class ProcessRandom {
  readonly #random: Prng;

  constructor(random: Prng) {
    this.#random = random;
  }

  int(bound: number): number {
    return this.#random.int(bound);
  }

  bytes(length: number): Uint8Array {
    return this.#random.bytes(length);
  }
}
