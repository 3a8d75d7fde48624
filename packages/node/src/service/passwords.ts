// Password hashing with a bound on how much runs and waits at once: each takes tens of milliseconds
// of CPU and megabytes of memory, so a flood of logins must not take the node down (P11).
import { ParleyError } from "@parley/protocol";
import type { PasswordHasher } from "../ports.ts";

const RUNNING_MAX = 4;
const WAITING_MAX = 256;

export class Passwords {
  readonly #hasher: PasswordHasher;
  readonly #waiting: (() => void)[] = [];
  readonly #dummy: Promise<string>;
  #running = 0;

  constructor(hasher: PasswordHasher) {
    this.#hasher = hasher;
    this.#dummy = hasher.hash("no account has this password");
    // The failure is met again, and reported, where the dummy is used.
    this.#dummy.catch(() => {});
  }

  hash(password: string): Promise<string> {
    return this.#run(() => this.#hasher.hash(password));
  }

  /**
   * False as well, after the same work, when there is nothing to verify against (`phc` empty).
   * `guard` throws if, by the time that it is this one's turn, it should not be done any more.
   */
  verify(password: string, phc: string, guard: () => void = () => {}): Promise<boolean> {
    return this.#run(async () => {
      guard();
      if (phc !== "") return this.#hasher.verify(password, phc);
      await this.#hasher.verify(password, await this.#dummy);
      return false;
    });
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= RUNNING_MAX) {
      if (this.#waiting.length >= WAITING_MAX) {
        throw new ParleyError("OVERLOADED", "too many logins at once", { retryAfterMs: 1_000 });
      }
      // The slot passes from hand to hand: whoever ends wakes the next without freeing it.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running += 1;
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
