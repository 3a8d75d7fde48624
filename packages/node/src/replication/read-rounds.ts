// Linearizable reads (thesis 6.4): many readers share one ReadIndex round, and a reader never joins
// a round that began before it asked.
import { ParleyError } from "@parley/protocol";
import { Deadlines, type Waiting } from "../deadlines.ts";
import type { Clock, Random } from "../ports.ts";

/** How long a round may take before it is asked for again: its messages may be lost. */
const ROUND_MS_MAX = 150;
/** Marks the rounds of this run of the process: an answer may outlive the one who asked. */
const RUN_BYTES = 8;
const CONTEXT_BYTES = RUN_BYTES + 8;

interface Reader extends Waiting {
  /** The first round that began after it asked; 0 = none yet. */
  round: number;
  resolve(index: number): void;
  reject(error: ParleyError): void;
}

export class ReadRounds {
  readonly #ask: (context: Uint8Array) => boolean;
  readonly #clock: Clock;
  readonly #run: Uint8Array;
  readonly #deadlines: Deadlines<Reader>;
  readonly #pendingMax: number;
  #round = 0;
  /** Some reader waits for an answer to the newest round. */
  #isUnderWay = false;
  #askedMs = 0;
  #closed = false;

  /** `ask` starts a round in the core, which gives the context back, and says whether it could. */
  constructor(
    ask: (context: Uint8Array) => boolean,
    clock: Clock,
    random: Random,
    pendingMax: number,
  ) {
    this.#ask = ask;
    this.#clock = clock;
    this.#run = random.bytes(RUN_BYTES);
    this.#pendingMax = pendingMax;
    this.#deadlines = new Deadlines(clock);
  }

  get rounds(): number {
    return this.#round;
  }

  /** Resolves with the revision to wait for; rejects with NO_QUORUM, OVERLOADED or SHUTTING_DOWN. */
  read(deadlineMs: number): Promise<number> {
    if (this.#closed) return Promise.reject(shuttingDown());
    if (this.#deadlines.size >= this.#pendingMax) {
      return Promise.reject(
        new ParleyError("OVERLOADED", "too many linearizable reads wait on this node", {
          retryAfterMs: 50,
        }),
      );
    }
    return new Promise((resolve, reject) => {
      this.#deadlines.add({
        round: 0,
        deadlineMs,
        resolve,
        reject,
        expire: () =>
          reject(
            new ParleyError("NO_QUORUM", "no majority confirmed the read in time", {
              retryAfterMs: 200,
            }),
          ),
      });
      if (!this.#isUnderWay) this.#begin();
    });
  }

  /**
   * The core confirmed the round of this context: it is the answer for all who had asked when that round
   * began, also when it was asked for again since. Anything else in `context` is ignored.
   */
  confirmed(context: Uint8Array, index: number): void {
    const round = this.#roundOf(context);
    if (!Number.isInteger(round) || round < 1 || round > this.#round) return;
    if (round === this.#round) this.#isUnderWay = false;
    let isAnyLeft = false;
    for (const reader of this.#deadlines) {
      if (reader.round === 0 || reader.round > round) {
        isAnyLeft = true;
        continue;
      }
      this.#deadlines.delete(reader);
      reader.resolve(index);
    }
    if (!isAnyLeft) this.#isUnderWay = false;
    else if (!this.#isUnderWay) this.#begin();
  }

  /** To be called now and then, and when a leader appears: asks again where an answer is overdue. */
  poke(leaderChanged: boolean): void {
    const overdue = this.#clock.monotonicMs() - this.#askedMs >= ROUND_MS_MAX;
    if (this.#deadlines.size > 0 && (leaderChanged || overdue)) this.#begin();
  }

  close(): void {
    this.#closed = true;
    const readers = [...this.#deadlines];
    this.#deadlines.close();
    for (const reader of readers) reader.reject(shuttingDown());
  }

  #begin(): void {
    this.#round += 1;
    this.#askedMs = this.#clock.monotonicMs();
    // Before asking: a core that needs nobody's word confirms the round in this very call.
    for (const reader of this.#deadlines) if (reader.round === 0) reader.round = this.#round;
    this.#isUnderWay = this.#ask(this.#contextOf(this.#round));
  }

  #contextOf(round: number): Uint8Array {
    const context = new Uint8Array(CONTEXT_BYTES);
    context.set(this.#run);
    new DataView(context.buffer).setFloat64(RUN_BYTES, round);
    return context;
  }

  /** 0 = not one of this run's. */
  #roundOf(context: Uint8Array): number {
    if (context.length !== CONTEXT_BYTES) return 0;
    if (!this.#run.every((byte, at) => context[at] === byte)) return 0;
    return new DataView(context.buffer, context.byteOffset, CONTEXT_BYTES).getFloat64(RUN_BYTES);
  }
}

function shuttingDown(): ParleyError {
  return new ParleyError("SHUTTING_DOWN", "this node is stopping", { retryAfterMs: 20 });
}
