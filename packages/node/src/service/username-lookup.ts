// From a username in a request to the account that has it.
import { type AdmittedAccount, normaliseUsername } from "@parley/chat";
import { LIMITS, ParleyError } from "@parley/protocol";
import type { Clock } from "../ports.ts";
import type { Replica } from "../replica.ts";
import { becomeCurrent, type Patience } from "./freshness.ts";

export class UsernameLookup {
  readonly #replica: Replica;
  readonly #clock: Clock;

  constructor(replica: Replica, clock: Clock) {
    this.#replica = replica;
    this.#clock = clock;
  }

  /** The form under which a username is unique; INVALID_ARGUMENT for what can't be one. */
  keyOf(username: string): string {
    // A UTF-16 unit has at least one byte: this bounds the work of folding.
    if (username === "" || username.length > LIMITS.usernameBytesMax) {
      throw new ParleyError("INVALID_ARGUMENT", "that can't be a username", {
        subject: "username",
      });
    }
    return normaliseUsername(username);
  }

  /** What this node knows now; undefined = no such account here, yet. */
  known(username: string): AdmittedAccount | undefined {
    return this.#replica.admission.accountByKey(this.keyOf(username));
  }

  /** Looks again after catching up with the cluster (P4), then rejects with ACCOUNT_NOT_FOUND. */
  async current(username: string, patience: Patience): Promise<AdmittedAccount> {
    await becomeCurrent(this.#replica, this.#clock, patience);
    const account = this.known(username);
    if (account === undefined) {
      throw new ParleyError("ACCOUNT_NOT_FOUND", "nobody has this username", {
        subject: "account",
        named: username,
      });
    }
    return account;
  }
}
