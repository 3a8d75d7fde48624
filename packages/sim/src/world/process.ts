// One run of a process on a machine: from its start to its death. Whatever the world delivers to it
// goes through here, so that a dead process never hears anything again, a stopped one hears it all
// when it continues, and a slow one hears it late.
import type { Scheduler } from "./scheduler.ts";

export type ProcessState = "running" | "paused" | "dead";

export class VirtualProcess {
  readonly name: string;
  readonly #scheduler: Scheduler;
  #state: ProcessState = "running";
  readonly #waiting: (() => void)[] = [];
  /** Added to every delivery: a machine with too much to do. */
  #slownessUs = 0;
  #lastDeliveryUs = 0;
  readonly #onDeath: (() => void)[] = [];

  constructor(name: string, scheduler: Scheduler) {
    this.name = name;
    this.#scheduler = scheduler;
  }

  get state(): ProcessState {
    return this.#state;
  }

  get alive(): boolean {
    return this.#state !== "dead";
  }

  get isSlow(): boolean {
    return this.#slownessUs > 0;
  }

  /** How many callbacks wait for the process to continue. */
  get backlog(): number {
    return this.#waiting.length;
  }

  /** Runs `action` as a callback of this process, now if it can, in order with the others. */
  deliver(action: () => void): void {
    if (this.#state === "dead") return;
    if (this.#state === "paused") {
      this.#waiting.push(action);
      return;
    }
    if (this.#slownessUs === 0 && this.#lastDeliveryUs <= this.#scheduler.nowUs) {
      action();
      return;
    }
    // One callback at a time, each taking its while: a loop with too much to do.
    this.#lastDeliveryUs = Math.max(this.#lastDeliveryUs, this.#scheduler.nowUs) + this.#slownessUs;
    this.#scheduler.at(this.#lastDeliveryUs, () => this.#late(action));
  }

  slowDown(perCallbackUs: number): void {
    this.#slownessUs = perCallbackUs;
  }

  /** SIGSTOP. */
  pause(): void {
    if (this.#state === "running") this.#state = "paused";
  }

  /** SIGCONT: everything that has piled up is delivered, each callback as an event of its own. */
  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    for (const action of this.#waiting.splice(0)) {
      this.#scheduler.after(0, () => this.#late(action));
    }
    // What arrives now comes after what has waited.
    this.#lastDeliveryUs = Math.max(this.#lastDeliveryUs, this.#scheduler.nowUs + 1);
  }

  /** SIGKILL. */
  kill(): void {
    if (this.#state === "dead") return;
    this.#state = "dead";
    this.#waiting.length = 0;
    for (const action of this.#onDeath.splice(0)) action();
  }

  /** What the operating system does about its sockets and files when the process is gone. */
  onDeath(action: () => void): void {
    this.#onDeath.push(action);
  }

  #late(action: () => void): void {
    if (this.#state === "paused") this.#waiting.push(action);
    else if (this.#state === "running") action();
  }
}
