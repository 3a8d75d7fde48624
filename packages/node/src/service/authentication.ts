// From a bearer token to an identity, out of memory. Only an unknown token costs a wait: the node
// may be behind the one that gave the token out (P4).
import { validateSecret } from "@parley/chat";
import { ParleyError } from "@parley/protocol";
import type { Clock, Sha256 } from "../ports.ts";
import type { Replica } from "../replica.ts";
import type { Identity } from "./context.ts";
import { toHex } from "./encoding.ts";
import { becomeCurrent, type Patience } from "./freshness.ts";

/** A token has 43 bytes; anything much longer is not one. */
const TOKEN_LENGTH_MAX = 256;
const NO_HASH = new Uint8Array(0);
const utf8 = new TextEncoder();

export class Authentication {
  readonly #replica: Replica;
  readonly #clock: Clock;
  readonly #sha256: Sha256;

  constructor(replica: Replica, clock: Clock, sha256: Sha256) {
    this.#replica = replica;
    this.#clock = clock;
    this.#sha256 = sha256;
  }

  hashOf(token: string): Uint8Array {
    return this.#sha256(utf8.encode(token));
  }

  /** Of the secret of a link; nothing of an empty one. Throws INVALID_ARGUMENT for what can't be one. */
  hashOfSecret(secret: string): Uint8Array {
    return secret === "" ? NO_HASH : this.hashOf(validateSecret(secret));
  }

  /** What this node knows of the token now; undefined = nothing, or it has expired. */
  lookUp(token: string): Identity | undefined {
    if (token === "" || token.length > TOKEN_LENGTH_MAX) return undefined;
    return this.byHash(this.hashOf(token));
  }

  byHash(tokenHash: Uint8Array): Identity | undefined {
    const { admission } = this.#replica;
    const found = admission.authenticate(toHex(tokenHash), this.#clock.wallMs());
    const session = found === undefined ? undefined : admission.session(found.sessionId);
    if (session === undefined) return undefined;
    const { accountId, sessionId, expiresAtMs } = session;
    return { accountId, sessionId, expiresAtMs };
  }

  /**
   * Looks again after catching up with the cluster, then rejects with UNAUTHENTICATED. When that fails
   * its error stands: UNAUTHENTICATED would make a client forget a token that another node knows.
   */
  async lookUpCurrent(token: string, patience: Patience): Promise<Identity> {
    if (token === "" || token.length > TOKEN_LENGTH_MAX) throw unauthenticated();
    const seen = this.#replica.appliedRevision;
    await becomeCurrent(this.#replica, this.#clock, patience);
    const identity = this.#replica.appliedRevision > seen ? this.lookUp(token) : undefined;
    if (identity === undefined) throw unauthenticated();
    return identity;
  }

  /** Whether the token behind a connection still counts; its end arrives as an admission change. */
  isExpired(identity: Identity): boolean {
    return identity.expiresAtMs <= this.#clock.wallMs();
  }
}

export function unauthenticated(): ParleyError {
  return new ParleyError("UNAUTHENTICATED", "the token is missing, unknown or expired");
}
