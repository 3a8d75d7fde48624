// Password hashing with the interface and the slowness of the real thing, and none of its cost.
import { createHash } from "node:crypto";
import type { PasswordHasher } from "@parley/node";
import type { ProcessClock } from "./clock.ts";

const HASHING_MS = 15;

function digest(password: string): string {
  const text = createHash("sha256").update(password).digest("base64url");
  return `$simulated$v=1$${text.slice(0, 22)}`;
}

/** Takes its time on the clock of the process that hashes. */
export class SimulatedHasher implements PasswordHasher {
  readonly #clock: ProcessClock;

  constructor(clock: ProcessClock) {
    this.#clock = clock;
  }

  hash(password: string): Promise<string> {
    return this.#later(() => digest(password));
  }

  verify(password: string, phc: string): Promise<boolean> {
    return this.#later(() => digest(password) === phc);
  }

  #later<T>(compute: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.#clock.after(HASHING_MS, () => resolve(compute()));
    });
  }
}

export function sha256(data: Uint8Array): Uint8Array {
  return createHash("sha256").update(data).digest();
}
