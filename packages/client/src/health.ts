// What a status pill says of the connection ("Failure" of the GUI design). A gap that a failover
// explains is not worth a word: only one that outlasts it is shown.
import type { ClientState, ParleyClient } from "./client.ts";
import { type Observable, ObservableValue } from "./observable.ts";
import { platformClock } from "./platform.ts";
import type { Clock, Timer } from "./ports.ts";
import { TIMING } from "./timing.ts";

/** As in `ClientState`. */
type WhyNot = Pick<ClientState, "problem" | "trouble">;

export type Health =
  /** No node has been met yet. */
  | ({ readonly kind: "connecting"; readonly waiting: number } & WhyNot)
  /** `unreached`: ids of nodes that are well, but this device could not reach them lately. */
  | {
      readonly kind: "online";
      readonly nodeId: number;
      readonly waiting: number;
      readonly unreached: readonly number[];
    }
  /** `waiting` messages are kept and will be sent. */
  | ({ readonly kind: "reconnecting"; readonly waiting: number } & WhyNot)
  /** No quorum: what is shown was true at `asOfMs` (Unix time by the servers' clock), P6. */
  | {
      readonly kind: "read-only";
      readonly nodeId: number;
      readonly asOfMs: number;
      readonly waiting: number;
    }
  | { readonly kind: "closed" };

/** Less than this, and the age of the data is that of before: it is measured, and so it jitters. */
const AS_OF_JITTER_MS = 1_000;

/** Watches the client until `close`. */
export class HealthMonitor implements Observable<Health> {
  readonly #client: ParleyClient;
  readonly #clock: Clock;
  readonly #value = new ObservableValue<Health>({
    kind: "connecting",
    waiting: 0,
    problem: "",
    trouble: undefined,
  });
  readonly #stop: () => void;
  #timer: Timer | undefined;
  /** When it last was well (monotonic); undefined = it is, or never was. */
  #unwellSinceMs: number | undefined;
  #wasOnline = false;

  constructor(client: ParleyClient, clock: Clock = platformClock) {
    this.#client = client;
    this.#clock = clock;
    this.#stop = client.onState((state) => this.#look(state));
    this.#look(client.state);
  }

  readonly subscribe = (listener: () => void): (() => void) => this.#value.subscribe(listener);
  readonly getSnapshot = (): Health => this.#value.getSnapshot();

  close(): void {
    this.#stop();
    this.#timer?.cancel();
  }

  #look(state: ClientState): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const well = state.phase === "online" && state.hasQuorum;
    if (well || state.phase === "closed") this.#unwellSinceMs = undefined;
    else this.#unwellSinceMs ??= this.#clock.monotonicMs();
    if (state.phase === "online") this.#wasOnline = true;
    const graceLeftMs = this.#graceLeftMs();
    if (graceLeftMs > 0) {
      this.#timer = this.#clock.after(graceLeftMs, () => this.#look(this.#client.state));
    }
    this.#value.set(this.#healthOf(state, graceLeftMs > 0));
  }

  #graceLeftMs(): number {
    if (this.#unwellSinceMs === undefined || !this.#wasOnline) return 0;
    return TIMING.gapShownMs - (this.#clock.monotonicMs() - this.#unwellSinceMs);
  }

  #healthOf(state: ClientState, grace: boolean): Health {
    const { nodeId, pendingSends: waiting, problem, trouble } = state;
    if (state.phase === "closed") return { kind: "closed" };
    if (!this.#wasOnline) return { kind: "connecting", waiting, problem, trouble };
    const before = this.getSnapshot();
    // What was shown before the gap goes on being shown during it.
    if (grace && before.kind === "online") return { ...before, waiting };
    if (state.phase !== "online") return { kind: "reconnecting", waiting, problem, trouble };
    if (state.hasQuorum || (grace && before.kind === "connecting")) {
      return { kind: "online", nodeId, waiting, unreached: this.#unreached(before) };
    }
    return { kind: "read-only", nodeId, asOfMs: this.#asOfMs(state, before), waiting };
  }

  /** The same list while it says the same. */
  #unreached(before: Health): readonly number[] {
    const { unreached } = this.#client;
    if (before.kind !== "online") return unreached;
    return before.unreached.join() === unreached.join() ? before.unreached : unreached;
  }

  /** By the servers' clock: this device's may be wrong by a day. */
  #asOfMs(state: ClientState, before: Health): number {
    const asOfMs = this.#clock.wallMs() + state.clockOffsetMs - state.staleMs;
    if (before.kind !== "read-only") return asOfMs;
    return Math.abs(asOfMs - before.asOfMs) < AS_OF_JITTER_MS ? before.asOfMs : asOfMs;
  }
}
