// Who is writing in which room, told to those who are in it and here now; of two one of whom has blocked the other, to neither. Ephemeral: it is
// told, never kept (no log, no disk), it may be lost, and it ends by itself. Nobody's word is taken for it, a peer's neither: who is in a room is
// looked up here, in what this node has applied.
import { LIMITS } from "@parley/protocol";
import type { Clock } from "../ports.ts";
import type { Replica } from "../replica.ts";
import { BoundedTable } from "./bounded-table.ts";
import type { FanOut } from "./fan-out.ts";
import { typistField } from "./outbox.ts";

const ROOMS_MAX = 10_000;
const ACCOUNTS_MAX = 50_000;
/** However many write, nobody misses what a node leaves out beyond this. */
const TOLD_PER_SECOND_MAX = 1_000;

export interface TypingParts {
  readonly replica: Pick<Replica, "admission" | "tellTyping" | "onTyping">;
  readonly clock: Clock;
  readonly fanOut: Pick<FanOut, "isIdle" | "liveIn">;
}

export class Typing {
  readonly #parts: TypingParts;
  /** For each room, who was told of last and when (monotonic). */
  readonly #rooms = new BoundedTable<number, Map<number, number>>(ROOMS_MAX);
  /** When a client's word for an account was last passed on, whatever the room. */
  readonly #saidAtMs = new BoundedTable<number, number>(ACCOUNTS_MAX);
  #secondBeganMs = Number.NEGATIVE_INFINITY;
  #toldInSecond = 0;

  constructor(parts: TypingParts) {
    this.#parts = parts;
    parts.replica.onTyping((roomId, accountId) => {
      this.#tell(roomId, accountId, parts.clock.monotonicMs());
    });
  }

  /** A client of this node's says so. There is no answer: what comes too often, or is not allowed, tells nobody. */
  said(roomId: number, accountId: number): void {
    const { replica, clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    const lastMs = this.#rooms.get(roomId)?.get(accountId) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - lastMs < LIMITS.typingGapMsMin) return;
    const elsewhereMs = this.#saidAtMs.get(accountId) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - elsewhereMs < LIMITS.typingElsewhereGapMsMin) return;
    if (!this.#tell(roomId, accountId, nowMs)) return;
    this.#saidAtMs.set(accountId, nowMs);
    replica.tellTyping(roomId, accountId);
  }

  /** The account sends to the room: that ended, and when it goes on writing that is news again. */
  sent(roomId: number, accountId: number): void {
    this.#rooms.get(roomId)?.delete(accountId);
    this.#saidAtMs.delete(accountId);
  }

  /** Returns whether it was told. */
  #tell(roomId: number, accountId: number, nowMs: number): boolean {
    const { replica, clock, fanOut } = this.#parts;
    const { admission } = replica;
    const member = admission.membership(roomId, accountId);
    if (member === undefined || clock.wallMs() < member.writeForbiddenUntilMs) return false;
    if (admission.memberCount(roomId) > LIMITS.typingMembersMax) return false;
    // While events wait, the subscribers have not been told yet who has come and gone.
    if (!fanOut.isIdle || !this.#note(roomId, accountId, nowMs)) return false;
    if (!this.#mayTell(nowMs)) return false;
    const username = admission.account(accountId)?.username ?? "";
    const field = typistField({ roomId, accountId, username });
    for (const subscriber of fanOut.liveIn(roomId)) {
      const isOther = subscriber.accountId !== accountId;
      if (isOther && !admission.areApart(subscriber.accountId, accountId)) subscriber.typing(field);
    }
    return true;
  }

  /** False: as many as anybody wants to see write there already. */
  #note(roomId: number, accountId: number, nowMs: number): boolean {
    const typists = this.#rooms.get(roomId) ?? new Map<number, number>();
    if (!typists.has(accountId) && typists.size >= LIMITS.typistsPerRoomMax) {
      for (const [id, atMs] of typists) {
        if (nowMs - atMs >= LIMITS.typingEndsMs) typists.delete(id);
      }
      if (typists.size >= LIMITS.typistsPerRoomMax) return false;
    }
    typists.set(accountId, nowMs);
    this.#rooms.set(roomId, typists);
    return true;
  }

  #mayTell(nowMs: number): boolean {
    if (nowMs - this.#secondBeganMs >= 1_000) {
      this.#secondBeganMs = nowMs;
      this.#toldInSecond = 0;
    }
    this.#toldInSecond += 1;
    return this.#toldInSecond <= TOLD_PER_SECOND_MAX;
  }
}
