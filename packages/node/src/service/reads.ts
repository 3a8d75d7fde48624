// Reads: as fresh as asked for (P4), from one consistent state of the chat file, with the age of
// the data when the node is out of touch (P6).
import type { ChatAnswer, ChatQuery } from "@parley/chat";
import {
  Consistency,
  GetRegistrationResponse,
  joinBytes,
  OPERATIONS,
  type OperationName,
  ParleyError,
  varintField,
} from "@parley/protocol";
import type { NodeTuning } from "../config.ts";
import type { ChatReads, Clock } from "../ports.ts";
import type { Replica } from "../replica.ts";
import { withPresence } from "./account-message.ts";
import type { Caller } from "./context.ts";
import { becomeCurrent, reachRevision } from "./freshness.ts";
import { SearchTurns } from "./search-turns.ts";

const RETRY_AFTER_MS = 100;

/** Number of the field `stale_ms` in each response. */
const STALE_FIELD = {
  listSessions: 3,
  listAccounts: 4,
  getAccount: 3,
  getRegistration: 4,
  listInvites: 3,
  listBlocked: 3,
  listRooms: 4,
  listMembers: 4,
  history: 3,
  listPins: 4,
  search: 4,
  thread: 4,
  unread: 4,
  download: 4,
} as const satisfies Partial<Record<OperationName, number>>;
export type ReadName = keyof typeof STALE_FIELD;

/** What every read request says about freshness. */
export interface Freshness {
  readonly consistency: Consistency;
  readonly minRevision: number;
}

export interface ReadsParts {
  readonly replica: Replica;
  readonly chatStore: ChatReads;
  readonly clock: Clock;
  readonly tuning: NodeTuning;
}

export class Reads {
  readonly #parts: ReadsParts;
  readonly #searchTurns = new SearchTurns();
  #pending = 0;

  constructor(parts: ReadsParts) {
    this.#parts = parts;
  }

  get pending(): number {
    return this.#pending;
  }

  /** Resolves with the encoded response; rejects with a ParleyError. */
  async operation(
    name: ReadName,
    request: Uint8Array,
    freshness: Freshness,
    caller: Caller,
  ): Promise<Uint8Array> {
    const { replica } = this.#parts;
    await this.#freshen(freshness, caller);
    const answer = await this.query(
      {
        kind: "operation",
        operation: name,
        request,
        accountId: caller.identity?.accountId ?? 0,
        sessionId: caller.identity?.sessionId ?? 0,
      },
      caller,
    );
    if (answer.kind === "refused") throw ParleyError.fromWire(answer.error);
    if (answer.kind !== "response") {
      throw new ParleyError("INTERNAL", `the chat store answered ${name} with ${answer.kind}`);
    }
    const response = withPresence(name, answer.response, replica);
    const stale = varintField(STALE_FIELD[name], Math.ceil(replica.staleMs()));
    return stale.length === 0 ? response : joinBytes([response, stale]);
  }

  /** Who may register; see ChatQuery. */
  async registration(
    inviteHash: string,
    freshness: Freshness,
    caller: Caller,
  ): Promise<GetRegistrationResponse> {
    await this.#freshen(freshness, caller);
    const answer = await this.query({ kind: "registration", inviteHash }, caller);
    if (answer.kind !== "response") {
      throw new ParleyError("INTERNAL", `the chat store answered registration with ${answer.kind}`);
    }
    const staleMs = Math.ceil(this.#parts.replica.staleMs());
    return { ...GetRegistrationResponse.decode(answer.response), staleMs };
  }

  /** One query, bounded in number and, for who waits, in time. */
  query(query: ChatQuery, caller: Pick<Caller, "deadlineMs">): Promise<ChatAnswer> {
    const { chatStore, clock, tuning } = this.#parts;
    if (this.#pending >= tuning.pendingReadsMax) {
      throw new ParleyError("OVERLOADED", "too many reads are under way on this node", {
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    const isSearch = query.kind === "operation" && query.operation === "search";
    const endTurn = isSearch ? this.#searchTurns.begin(query.accountId) : undefined;
    this.#pending += 1;
    const done = () => {
      this.#pending -= 1;
      endTurn?.();
    };
    return new Promise((resolve, reject) => {
      const leftMs = Math.max(0, caller.deadlineMs - clock.monotonicMs());
      const timer = clock.after(leftMs, () => {
        reject(new ParleyError("DEADLINE_EXCEEDED", "the read took longer than it may"));
      });
      // The places in the bounds are free when the store is done, not when the caller gave up.
      chatStore.read(query).then(
        (answer) => {
          done();
          timer.cancel();
          resolve(answer);
        },
        (cause: unknown) => {
          done();
          timer.cancel();
          reject(ParleyError.from(cause));
        },
      );
    });
  }

  async #freshen(freshness: Freshness, caller: Caller): Promise<void> {
    const { replica, clock } = this.#parts;
    if (freshness.consistency === Consistency.CONSISTENCY_LINEARIZABLE) {
      await becomeCurrent(replica, clock, caller, "whole");
    }
    if (freshness.minRevision > replica.appliedRevision) {
      await reachRevision(replica, clock, freshness.minRevision, caller);
    }
  }
}

export function isRead(name: OperationName): name is ReadName {
  return OPERATIONS[name].kind === "read";
}
