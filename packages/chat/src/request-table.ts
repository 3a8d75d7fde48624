// Remembered requests: what was answered, so that a retry gets the same (P2). Bounded by time and by
// number for each account; what is forgotten early is never executed again, because the account's
// floor then refuses ids that sort before the forgotten one (UUIDv7 sort by time).
import { LIMITS } from "@parley/protocol";
import { type ChatDatabase, prepare, prepareArrays, type Statement } from "./database.ts";
import type { HashSum, RowHasher } from "./hash.ts";
import { REQUESTS, type RequestRow } from "./rows.ts";
import { allArrays, columnsOf, firstArray } from "./schema.ts";

/**
 * How far a request id's time may lie ahead of replicated time, in milliseconds: as far as it may
 * lie behind, so that clocks wrong by hours (a time zone) still work.
 */
export const REQUEST_ID_AHEAD_MS_MAX = LIMITS.requestIdTtlMs;
/** An id from the farthest allowed future stays valid this long after it was recorded. */
const KEEP_MS = LIMITS.requestIdTtlMs + REQUEST_ID_AHEAD_MS_MAX;
/** Registrations share account 0, so they have more room. */
const REMEMBERED_REGISTRATIONS_MAX = 65_536;
/** Work of one command on others' expired rows: more than one is added, so the backlog shrinks. */
const PURGED_PER_COMMAND_MAX = 4;

export class RequestTable {
  readonly #sum: HashSum;
  readonly #hasher: RowHasher;
  readonly #insert: Statement;
  readonly #delete: Statement;
  readonly #byId: Statement;
  readonly #oldest: Statement;
  readonly #smallestId: Statement;
  readonly #counts = new Map<number, number>();
  /** When the oldest row was recorded; Infinity = there is none. Saves a query for each command. */
  #oldestRecordedAtMs: number;

  constructor(db: ChatDatabase, sum: HashSum, hasher: RowHasher) {
    this.#sum = sum;
    this.#hasher = hasher;
    const columns = columnsOf(REQUESTS);
    this.#insert = prepare(
      db,
      `INSERT INTO requests (${columns}) VALUES (${REQUESTS.columns.map(() => "?").join(", ")})`,
    );
    this.#delete = prepare(db, "DELETE FROM requests WHERE id = ?");
    this.#byId = prepareArrays(
      db,
      `SELECT ${columns} FROM requests WHERE account_id = ? AND request_id = ?`,
    );
    this.#oldest = prepareArrays(db, `SELECT ${columns} FROM requests ORDER BY id LIMIT ?`);
    this.#smallestId = prepareArrays(
      db,
      `SELECT ${columns} FROM requests WHERE account_id = ? ORDER BY request_id LIMIT 1`,
    );
    const counts = prepareArrays(db, "SELECT account_id, count(*) FROM requests GROUP BY 1");
    for (const [accountId, count] of allArrays(counts)) {
      this.#counts.set(accountId as number, count as number);
    }
    this.#oldestRecordedAtMs = this.#readOldest();
  }

  #readOldest(): number {
    const values = firstArray(this.#oldest, 1);
    return values === undefined ? Number.POSITIVE_INFINITY : REQUESTS.row(values).recordedAtMs;
  }

  find(accountId: number, requestId: string): RequestRow | undefined {
    const values = firstArray(this.#byId, accountId, requestId);
    return values === undefined ? undefined : REQUESTS.row(values);
  }

  /**
   * Remembers an answer. Returns the smallest id, which had to be forgotten for it: the account's floor
   * must rise to it; undefined when there was room.
   */
  remember(request: RequestRow): string | undefined {
    const values = REQUESTS.values(request);
    this.#insert.run(...values);
    this.#hasher.hash(REQUESTS.tag, values);
    this.#sum.add(this.#hasher.a, this.#hasher.b);
    const count = (this.#counts.get(request.accountId) ?? 0) + 1;
    this.#counts.set(request.accountId, count);
    this.#oldestRecordedAtMs = Math.min(this.#oldestRecordedAtMs, request.recordedAtMs);
    const countMax =
      request.accountId === 0
        ? REMEMBERED_REGISTRATIONS_MAX
        : LIMITS.rememberedRequestsPerAccountMax;
    if (count <= countMax) return undefined;
    const smallest = firstArray(this.#smallestId, request.accountId);
    if (smallest === undefined) return undefined;
    const forgotten = REQUESTS.row(smallest);
    this.#forget(forgotten);
    return forgotten.requestId;
  }

  /** Drops some of what no id can match any more at `stampMs`; called for every command. */
  purge(stampMs: number): void {
    if (this.#oldestRecordedAtMs + KEEP_MS >= stampMs) return;
    for (const values of allArrays(this.#oldest, PURGED_PER_COMMAND_MAX)) {
      const request = REQUESTS.row(values);
      if (request.recordedAtMs + KEEP_MS >= stampMs) break;
      this.#forget(request);
    }
    this.#oldestRecordedAtMs = this.#readOldest();
  }

  #forget(request: RequestRow): void {
    this.#delete.run(request.id);
    this.#hasher.hash(REQUESTS.tag, REQUESTS.values(request));
    this.#sum.subtract(this.#hasher.a, this.#hasher.b);
    const count = (this.#counts.get(request.accountId) ?? 1) - 1;
    if (count === 0) this.#counts.delete(request.accountId);
    else this.#counts.set(request.accountId, count);
  }
}
