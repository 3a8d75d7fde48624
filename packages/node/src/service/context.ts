// What the parts of the service share: the ports that they work with and who is asking.
import type { NodeTuning } from "../config.ts";
import type {
  CallerCertificate,
  ChatReads,
  Clock,
  Logger,
  PasswordHasher,
  Random,
  Sha256,
} from "../ports.ts";
import type { Replica } from "../replica.ts";
import type { FanOutLimits } from "./fan-out.ts";

export interface ServiceParts {
  readonly replica: Replica;
  readonly chatStore: ChatReads;
  readonly clock: Clock;
  readonly random: Random;
  readonly hasher: PasswordHasher;
  readonly sha256: Sha256;
  readonly logger: Logger;
  readonly tuning: NodeTuning;
  readonly nodeId: number;
  /** SHA-256 of the set-up token, as in the bootstrap record; left out or empty = none is needed. */
  readonly setupTokenHash?: Uint8Array | undefined;
  /** Other machines can reach the instance: until its owner has chosen who may register, that takes an invite (P10). */
  readonly inviteOnlyByDefault?: boolean | undefined;
  /** This node has no chat: it refuses every client. */
  readonly isWitness?: boolean;
  /** For tests that want small pages and a short memory; the defaults are for servers. */
  readonly fanOutLimits?: FanOutLimits;
}

/** A unary call, as a transport hands it over. */
export interface CallContext {
  /** The bearer token; empty = none. */
  readonly token: string;
  /** Address of the caller, for the throttle of logins. */
  readonly remote: string;
  /** Left out where connections carry none. */
  readonly certificate?: CallerCertificate | undefined;
  /** The connection comes from this machine, over loopback. */
  readonly isLocal?: boolean | undefined;
  /** On the node's monotonic clock. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Whose token it is. */
export interface Identity {
  readonly accountId: number;
  readonly sessionId: number;
  /** Wall clock; the token is worth nothing from then on. */
  readonly expiresAtMs: number;
}

/** Who asks for an operation, and for how long they wait. */
export interface Caller {
  readonly identity: Identity | undefined;
  readonly remote: string;
  /** On the node's monotonic clock. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  /** Told when a Register or Login succeeded, before its response is returned. */
  readonly onSignIn?: (identity: Identity) => void;
}
