// Checking passwords: throttled, in the same time whether or not the account exists, and with a
// second look on a node that may be behind (P4).
import { normalisePassword } from "@parley/chat";
import { LIMITS, ParleyError } from "@parley/protocol";
import type { ServiceParts } from "./context.ts";
import { becomeCurrent, type Patience } from "./freshness.ts";
import { LoginThrottle } from "./login-throttle.ts";
import { Passwords } from "./passwords.ts";
import type { Reads } from "./reads.ts";

/** An account whose password was right at `credentialsRevision`. */
export interface Verified {
  readonly accountId: number;
  readonly credentialsRevision: number;
}

interface Stored extends Verified {
  readonly passwordHash: string;
}

export interface Attempt extends Patience {
  readonly remote: string;
}

export class Credentials {
  readonly #parts: ServiceParts;
  readonly #reads: Reads;
  readonly #passwords: Passwords;
  readonly #throttle: LoginThrottle;

  constructor(parts: ServiceParts, reads: Reads) {
    this.#parts = parts;
    this.#reads = reads;
    this.#passwords = new Passwords(parts.hasher);
    this.#throttle = new LoginThrottle(parts.clock, parts.tuning);
  }

  /** A PHC string. The password must have been validated. */
  hash(password: string): Promise<string> {
    return this.#passwords.hash(normalisePassword(password));
  }

  /** Throws RATE_LIMITED while the address must pause. */
  checkRemote(remote: string): void {
    this.#throttle.checkRemote(remote);
  }

  /** The address has tried to come in where it may not. */
  unwelcome(remote: string): void {
    this.#throttle.remoteFailed(remote);
  }

  /**
   * Rejects with WRONG_CREDENTIALS (whichever of name and password is wrong), RATE_LIMITED, or
   * NO_QUORUM when this node can't be sure that what it has is current. Several passwords: one of
   * them must be right.
   */
  async verify(
    usernameKey: string,
    passwords: readonly string[],
    attempt: Attempt,
  ): Promise<Verified> {
    // Again when its turn has come: failures of those before it in the queue count too.
    const guard = () => this.#throttle.check(usernameKey, attempt.remote);
    guard();
    const stored = await this.#read(usernameKey, attempt);
    if (await this.#matches(stored, passwords, guard)) {
      this.#throttle.succeeded(usernameKey);
      return stored;
    }
    // Counted before anything can fail: without a quorum guessing must not be free.
    this.#throttle.failed(usernameKey, attempt.remote);
    // Registered, or changed, on another node a moment ago? Only the log can tell.
    await becomeCurrent(this.#parts.replica, this.#parts.clock, attempt);
    const current = await this.#read(usernameKey, attempt);
    const changed =
      current.accountId !== stored.accountId ||
      current.credentialsRevision !== stored.credentialsRevision;
    if (changed && (await this.#matches(current, passwords, guard))) {
      this.#throttle.succeeded(usernameKey);
      return current;
    }
    throw new ParleyError("WRONG_CREDENTIALS", "the username or the password is wrong");
  }

  async #matches(
    stored: Stored,
    passwords: readonly string[],
    guard: () => void,
  ): Promise<boolean> {
    const { passwordHash } = stored;
    for (const password of passwords) {
      const right = await this.#passwords.verify(normalisePassword(password), passwordHash, guard);
      if (right && stored.accountId !== 0) return true;
    }
    return false;
  }

  async #read(usernameKey: string, patience: Patience): Promise<Stored> {
    const answer = await this.#reads.query({ kind: "credentials", usernameKey }, patience);
    if (answer.kind === "credentials") return answer;
    throw new ParleyError("INTERNAL", `the chat store answered credentials with ${answer.kind}`);
  }
}

/** A password that is longer than any can be is not worth hashing. */
export function refuseOversizedPassword(password: string): void {
  if (password.length > LIMITS.passwordBytesMax) {
    const { passwordBytesMax: limit } = LIMITS;
    throw new ParleyError("TOO_LARGE", `a password has at most ${limit} bytes`, {
      subject: "password",
      limit,
    });
  }
}
