// Slows down guessing of passwords: after some failures an account's name, and an address, must
// pause. Both tables are bounded (P11); the pause of a name holds for names that do not exist too,
// so that it tells nothing.
import { ParleyError } from "@parley/protocol";
import type { NodeTuning } from "../config.ts";
import type { Clock } from "../ports.ts";
import { BoundedTable } from "./bounded-table.ts";

const ENTRIES_MAX = 20_000;
/** One address may stand for many people (a proxy), so it may fail more often than one name. */
const REMOTE_FACTOR = 10;

interface Failures {
  count: number;
  lastAtMs: number;
}

export class LoginThrottle {
  readonly #names = new BoundedTable<string, Failures>(ENTRIES_MAX);
  readonly #remotes = new BoundedTable<string, Failures>(ENTRIES_MAX);
  readonly #clock: Clock;
  readonly #failuresMax: number;
  readonly #pauseMs: number;

  constructor(clock: Clock, tuning: NodeTuning) {
    this.#clock = clock;
    this.#failuresMax = tuning.loginFailuresMax;
    this.#pauseMs = tuning.loginPauseMs;
  }

  /** Throws RATE_LIMITED, with the rest of the pause, while the name or the address must pause. */
  check(usernameKey: string, remote: string): void {
    refuseWhile(this.#waitMs(this.#names, usernameKey, this.#failuresMax));
    this.checkRemote(remote);
  }

  /** The same for an address alone. */
  checkRemote(remote: string): void {
    const failuresMax = this.#failuresMax * REMOTE_FACTOR;
    refuseWhile(this.#waitMs(this.#remotes, remoteHost(remote), failuresMax));
  }

  failed(usernameKey: string, remote: string): void {
    this.#count(this.#names, usernameKey);
    this.remoteFailed(remote);
  }

  remoteFailed(remote: string): void {
    this.#count(this.#remotes, remoteHost(remote));
  }

  succeeded(usernameKey: string): void {
    this.#names.delete(usernameKey);
  }

  #waitMs(table: BoundedTable<string, Failures>, key: string, failuresMax: number): number {
    const failures = table.get(key);
    if (failures === undefined) return 0;
    const waitMs = failures.lastAtMs + this.#pauseMs - this.#clock.monotonicMs();
    if (waitMs <= 0) {
      table.delete(key);
      return 0;
    }
    return failures.count >= failuresMax ? waitMs : 0;
  }

  #count(table: BoundedTable<string, Failures>, key: string): void {
    const count = (table.get(key)?.count ?? 0) + 1;
    table.set(key, { count, lastAtMs: this.#clock.monotonicMs() });
  }
}

function refuseWhile(waitMs: number): void {
  if (waitMs <= 0) return;
  throw new ParleyError("RATE_LIMITED", "too many failed attempts; wait before the next one", {
    retryAfterMs: Math.ceil(waitMs),
  });
}

/** The address without its port: each connection of one machine has another port. */
export function remoteHost(remote: string): string {
  // More than one colon without brackets is an IPv6 address that has no port.
  return /^(\[[^\]]*\]|[^:]*):\d+$/.exec(remote)?.[1] ?? remote;
}
