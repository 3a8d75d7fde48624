// The virtual network: machines that dial one another, connections of two pipes, and everything that
// can go wrong between machines. It knows nothing of what the frames mean.
import { Pipe, type PipeConditions } from "./pipe.ts";
import type { Prng } from "./prng.ts";
import type { VirtualProcess } from "./process.ts";
import type { Scheduler } from "./scheduler.ts";

/** How a connection ended for one of its ends. */
export type ConnectionEnd = "closed" | "refused" | "timeout";

export interface ConnectionEvents {
  onOpen(): void;
  onFrame(bytes: Uint8Array): void;
  /** Once, last. */
  onEnd(end: ConnectionEnd, detail: string): void;
  onDrain(): void;
}

/** One end of a connection, as the process on it sees it. */
export interface Connection {
  readonly remote: string;
  /** False = the backlog is full, or the connection is over, and the frame is dropped. */
  send(bytes: Uint8Array): boolean;
  /** Ends it after what has been sent. No event follows on this side. */
  close(): void;
  backlogBytes(): number;
}

/** What a listener does with a connection that somebody dialled. */
export type Accept = (connection: Connection) => ConnectionEvents;

/** May change, drop or multiply a frame on its way; undefined = none is at work. */
export type FrameFilter = (
  from: string,
  to: string,
  service: string,
  bytes: Uint8Array,
) => readonly Uint8Array[] | "break" | undefined;

export interface NetworkOptions {
  readonly latencyUsMin: number;
  readonly latencyUsMean: number;
  readonly bytesPerSecond: number;
  readonly backlogBytesMax: number;
  /** A dial without an answer ends after this long. */
  readonly dialTimeoutUs: number;
  /** A connection whose frames have been stuck for this long is given up by its ends. */
  readonly keepaliveUs: number;
}

interface Listener {
  readonly process: VirtualProcess;
  readonly accept: Accept;
}

interface Machine {
  readonly name: string;
  powered: boolean;
  readonly listeners: Map<string, Listener>;
  /** A connection made before it is unknown to a machine that has been switched off since. */
  boots: number;
}

class End implements Connection {
  readonly process: VirtualProcess;
  readonly machine: Machine;
  /** Which run of the machine it belongs to: after a power cut nobody there knows it. */
  readonly boot: number;
  readonly remote: string;
  events: ConnectionEvents | undefined;
  out: Pipe | undefined;
  /** The process has closed it, and hears nothing more of it. */
  closed = false;
  /** The network has given it up; its end is told, or on its way to the process. */
  ended = false;
  unreachableSinceUs: number | undefined;
  /** What the process wrote before the connection was open. */
  #early: Uint8Array[] = [];

  constructor(process: VirtualProcess, machine: Machine, remote: string) {
    this.process = process;
    this.machine = machine;
    this.boot = machine.boots;
    this.remote = remote;
  }

  get over(): boolean {
    return this.closed || this.ended;
  }

  send(bytes: Uint8Array): boolean {
    if (this.closed || !this.process.alive) return false;
    // A process that has not heard of the end yet writes into the void.
    if (this.ended) return true;
    if (this.out !== undefined) return this.out.send(bytes);
    this.#early.push(bytes);
    return true;
  }

  open(pipe: Pipe): void {
    this.out = pipe;
    for (const bytes of this.#early) pipe.send(bytes);
    this.#early = [];
  }

  close(): void {
    if (this.closed || !this.process.alive) return;
    this.closed = true;
    this.out?.finish();
  }

  backlogBytes(): number {
    return this.out?.backlogBytes ?? 0;
  }

  tell(action: (events: ConnectionEvents) => void): void {
    if (this.over) return;
    this.process.deliver(() => {
      if (!this.closed && this.events !== undefined) action(this.events);
    });
  }

  tellEnd(end: ConnectionEnd, detail: string): void {
    if (this.over) return;
    this.tell((events) => {
      this.closed = true;
      events.onEnd(end, detail);
    });
    this.ended = true;
    this.out?.cut();
  }
}

interface Pair {
  readonly dialler: End;
  readonly answerer: End;
  readonly service: string;
}

export interface NetworkCounts {
  dials: number;
  refused: number;
  dialTimeouts: number;
  keepaliveTimeouts: number;
  frames: number;
  framesMangled: number;
  linksBroken: number;
}

const KEEPALIVE_CHECK_US = 100_000;

export class Network {
  readonly #scheduler: Scheduler;
  readonly #random: Prng;
  readonly #options: NetworkOptions;
  readonly #machines = new Map<string, Machine>();
  readonly #pairs = new Set<Pair>();
  readonly #cuts = new Set<string>();
  /** Services whose senders bound their queues themselves. */
  readonly #unbounded = new Set<string>();
  readonly #slow = new Map<string, number>();
  filter: FrameFilter | undefined;
  /** Sees every frame that a process hands over; for the checkers. */
  onSent: ((from: string, to: string, service: string, bytes: Uint8Array) => void) | undefined;
  /** Sees every frame that is handed to a process; for the checkers. */
  onDelivered: ((from: string, to: string, service: string, bytes: Uint8Array) => void) | undefined;
  readonly counts: NetworkCounts = {
    dials: 0,
    refused: 0,
    dialTimeouts: 0,
    keepaliveTimeouts: 0,
    frames: 0,
    framesMangled: 0,
    linksBroken: 0,
  };

  constructor(scheduler: Scheduler, random: Prng, options: NetworkOptions) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#options = options;
    const check = (): void => {
      this.#checkKeepalive();
      scheduler.after(KEEPALIVE_CHECK_US, check);
    };
    scheduler.after(KEEPALIVE_CHECK_US, check);
  }

  addMachine(name: string): void {
    this.#machines.set(name, { name, powered: true, listeners: new Map(), boots: 0 });
  }

  /** Connections to this service queue whatever they are given. */
  leaveUnbounded(service: string): void {
    this.#unbounded.add(service);
  }

  /** Takes connections to `service` on the process's machine until the process dies. */
  listen(machineName: string, service: string, process: VirtualProcess, accept: Accept): void {
    const machine = this.#machine(machineName);
    const listener: Listener = { process, accept };
    machine.listeners.set(service, listener);
    process.onDeath(() => {
      if (machine.listeners.get(service) === listener) machine.listeners.delete(service);
    });
  }

  /** Dials once. Everything that happens is told to `events`, in callbacks of `process`. */
  dial(
    process: VirtualProcess,
    fromName: string,
    toName: string,
    service: string,
    events: ConnectionEvents,
  ): Connection {
    this.counts.dials += 1;
    const from = this.#machine(fromName);
    const to = this.#machines.get(toName);
    const dialler = new End(process, from, toName);
    dialler.events = events;
    let opened = false;
    const timeout = this.#scheduler.after(this.#options.dialTimeoutUs, () => {
      if (!opened && !dialler.over) {
        this.counts.dialTimeouts += 1;
        dialler.tellEnd("timeout", "no answer");
      }
    });
    const synUs = this.#latencyUs(fromName, toName, 64);
    this.#scheduler.after(synUs, () => {
      if (dialler.over || !process.alive) return;
      if (to === undefined || !this.#passes(fromName, toName) || !to.powered) return;
      const listener = to.listeners.get(service);
      const backUs = this.#latencyUs(toName, fromName, 64);
      if (listener === undefined || !listener.process.alive) {
        this.#scheduler.after(backUs, () => {
          if (dialler.over || opened || !this.#passes(toName, fromName)) return;
          this.counts.refused += 1;
          dialler.tellEnd("refused", "connection refused");
        });
        return;
      }
      const pair = this.#connect(dialler, from, to, service, listener);
      this.#scheduler.after(backUs, () => {
        // The answer may be lost; then the dialler's timeout ends it, and the keepalive the other end.
        if (!this.#passes(toName, fromName)) return;
        if (dialler.over || !process.alive) {
          this.#resetTowards(pair.answerer, dialler);
          return;
        }
        opened = true;
        timeout.cancel();
        dialler.open(this.#pipe(pair, dialler, pair.answerer));
        dialler.tell((told) => told.onOpen());
      });
    });
    return dialler;
  }

  /** Cuts or heals one direction between two machines. */
  setCut(fromName: string, toName: string, cut: boolean): void {
    if (cut) this.#cuts.add(`${fromName}>${toName}`);
    else this.#cuts.delete(`${fromName}>${toName}`);
    this.#nudgeAll();
  }

  isCut(fromName: string, toName: string): boolean {
    return this.#cuts.size > 0 && this.#cuts.has(`${fromName}>${toName}`);
  }

  /** Multiplies the latency of one direction; 1 = as usual. */
  setSlow(fromName: string, toName: string, factor: number): void {
    if (factor === 1) this.#slow.delete(`${fromName}>${toName}`);
    else this.#slow.set(`${fromName}>${toName}`, factor);
  }

  healAll(): void {
    this.#cuts.clear();
    this.#slow.clear();
    this.filter = undefined;
    this.#nudgeAll();
  }

  /** Resets every connection between two machines: frames in flight are lost. Returns how many. */
  breakLinks(a: string, b: string): number {
    let broken = 0;
    for (const pair of [...this.#pairs]) {
      const names = [pair.dialler.machine.name, pair.answerer.machine.name];
      if (!names.includes(a) || !names.includes(b)) continue;
      this.#break(pair);
      broken += 1;
    }
    return broken;
  }

  /** The machine is gone from one moment to the next: no end of a connection is told. */
  powerOff(name: string): void {
    const machine = this.#machine(name);
    machine.powered = false;
    machine.boots += 1;
    machine.listeners.clear();
    for (const pair of this.#pairs) {
      for (const end of [pair.dialler, pair.answerer]) {
        if (end.machine === machine) {
          end.ended = true;
          end.out?.cut();
        }
      }
    }
  }

  powerOn(name: string): void {
    this.#machine(name).powered = true;
  }

  /** The bytes that wait in the longest queue of a connection to `service`. */
  longestBacklogBytes(service: string): number {
    let longest = 0;
    for (const pair of this.#pairs) {
      if (pair.service !== service) continue;
      longest = Math.max(longest, pair.dialler.backlogBytes(), pair.answerer.backlogBytes());
    }
    return longest;
  }

  #connect(dialler: End, from: Machine, to: Machine, service: string, listener: Listener): Pair {
    const answerer = new End(listener.process, to, from.name);
    const pair: Pair = { dialler, answerer, service };
    this.#pairs.add(pair);
    answerer.open(this.#pipe(pair, answerer, dialler));
    // The operating system closes what a dead process leaves behind.
    for (const end of [dialler, answerer]) {
      end.process.onDeath(() => {
        if (end.over) return;
        end.ended = true;
        if (end.machine.powered && end.boot === end.machine.boots) end.out?.reset();
        else end.out?.cut();
      });
    }
    listener.process.deliver(() => {
      answerer.events = listener.accept(answerer);
    });
    return pair;
  }

  #pipe(pair: Pair, from: End, to: End): Pipe {
    const fromName = from.machine.name;
    const toName = to.machine.name;
    const conditions: PipeConditions = {
      open: () => this.#passes(fromName, toName) && to.machine.powered,
      latencyUs: (bytes) => this.#latencyUs(fromName, toName, bytes),
    };
    const backlogMax = this.#unbounded.has(pair.service)
      ? Number.POSITIVE_INFINITY
      : this.#options.backlogBytesMax;
    return new Pipe(this.#scheduler, this.#random, conditions, backlogMax, {
      onFrame: (bytes) => this.#arrive(pair, from, to, bytes),
      onFinished: () => {
        to.tellEnd("closed", "the other end closed");
        this.#forget(pair);
      },
      onDrain: () => from.tell((events) => events.onDrain()),
    });
  }

  #arrive(pair: Pair, from: End, to: End, bytes: Uint8Array): void {
    if (to.machine.boots !== to.boot || !to.process.alive) {
      // Nobody there knows this connection: a reset comes back.
      this.#resetTowards(from, to);
      return;
    }
    this.counts.frames += 1;
    const fromName = from.machine.name;
    const toName = to.machine.name;
    const mangled = this.filter?.(fromName, toName, pair.service, bytes);
    if (mangled === "break") {
      this.#break(pair);
      return;
    }
    if (mangled !== undefined) this.counts.framesMangled += 1;
    for (const frame of mangled ?? [bytes]) {
      to.tell((events) => {
        this.onDelivered?.(fromName, toName, pair.service, frame);
        events.onFrame(frame);
      });
    }
  }

  #resetTowards(end: End, from: End): void {
    if (end.over) return;
    const backUs = this.#latencyUs(from.machine.name, end.machine.name, 64);
    this.#scheduler.after(backUs, () => {
      if (this.#passes(from.machine.name, end.machine.name)) end.tellEnd("closed", "reset");
    });
  }

  #break(pair: Pair): void {
    this.counts.linksBroken += 1;
    pair.dialler.tellEnd("closed", "connection reset");
    pair.answerer.tellEnd("closed", "connection reset");
    this.#pairs.delete(pair);
  }

  #forget(pair: Pair): void {
    if (pair.dialler.over && pair.answerer.over) this.#pairs.delete(pair);
  }

  #checkKeepalive(): void {
    const limit = this.#scheduler.nowUs - this.#options.keepaliveUs;
    for (const pair of [...this.#pairs]) {
      for (const [end, other] of [
        [pair.dialler, pair.answerer],
        [pair.answerer, pair.dialler],
      ] as const) {
        if (end.over) continue;
        // Each end probes the other: the probe's way and the answer's way must both be open.
        const reachable =
          other.machine.powered &&
          this.#passes(end.machine.name, other.machine.name) &&
          this.#passes(other.machine.name, end.machine.name);
        if (reachable) {
          // An end that was given up, or died with its machine, answers a probe with a reset.
          if (other.ended || (other.over && other.out === undefined))
            this.#resetTowards(end, other);
          end.unreachableSinceUs = undefined;
          continue;
        }
        end.unreachableSinceUs ??= this.#scheduler.nowUs;
        if (end.unreachableSinceUs > limit) continue;
        this.counts.keepaliveTimeouts += 1;
        end.tellEnd("timeout", "keepalive");
      }
      this.#forget(pair);
    }
  }

  #nudgeAll(): void {
    for (const pair of this.#pairs) {
      pair.dialler.out?.nudge();
      pair.answerer.out?.nudge();
    }
  }

  #passes(fromName: string, toName: string): boolean {
    return !this.isCut(fromName, toName);
  }

  #latencyUs(fromName: string, toName: string, bytes: number): number {
    const options = this.#options;
    const factor = this.#slow.size === 0 ? 1 : (this.#slow.get(`${fromName}>${toName}`) ?? 1);
    const jitter = this.#random.exponential(options.latencyUsMean - options.latencyUsMin);
    const sending = (bytes / options.bytesPerSecond) * 1e6;
    return Math.ceil((options.latencyUsMin + jitter + sending) * factor);
  }

  #machine(name: string): Machine {
    const machine = this.#machines.get(name);
    if (machine === undefined) throw new Error(`there is no machine ${name}`);
    return machine;
  }
}
