// Who has read how far, told to the others of small rooms. Every node applies every read position, so each tells its own subscribers, with
// no word between nodes; what moves within a second is told at once, so that however many read, each of them gets one frame a room.
// Nothing of it is kept: positions as of now are read with ListMembers.
import type { AppliedEntry } from "@parley/chat";
import { LIMITS } from "@parley/protocol";
import type { Clock, Timer } from "../ports.ts";
import type { Replica } from "../replica.ts";
import { BoundedTable } from "./bounded-table.ts";
import type { FanOut } from "./fan-out.ts";
import { readReceiptsField } from "./outbox.ts";

/** Rooms in which somebody has read on since the last telling; of further ones the quietest are not told. */
const ROOMS_MAX = 5_000;

export interface ReadReceiptsParts {
  readonly replica: Pick<Replica, "admission">;
  readonly clock: Clock;
  readonly fanOut: Pick<FanOut, "isIdle" | "liveIn" | "liveCount">;
}

export class ReadReceipts {
  readonly #parts: ReadReceiptsParts;
  /** By room, how far each has read who has read on. */
  readonly #moved = new BoundedTable<number, Map<number, number>>(ROOMS_MAX);
  #timer: Timer | undefined;

  constructor(parts: ReadReceiptsParts) {
    this.#parts = parts;
  }

  onEntry({ changes }: AppliedEntry): void {
    for (const change of changes) {
      if (change.kind !== "read" || this.#parts.fanOut.liveCount === 0) continue;
      const { roomId, accountId, seq } = change;
      const moved = this.#moved.get(roomId) ?? new Map<number, number>();
      moved.set(accountId, seq);
      this.#moved.set(roomId, moved);
      this.#arm();
    }
  }

  close(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    this.#timer ??= this.#parts.clock.after(LIMITS.receiptsGapMs, () => {
      this.#timer = undefined;
      // While events wait, the subscribers have not been told yet who has come and gone.
      if (!this.#parts.fanOut.isIdle) this.#arm();
      else for (const [roomId, moved] of this.#moved.takeAll()) this.#tell(roomId, moved);
    });
  }

  /**
   * Members alone, of members alone, none who hides how far they have read, and of two neither to the other when one has blocked the other: as
   * it is now.
   */
  #tell(roomId: number, moved: ReadonlyMap<number, number>): void {
    const { replica, fanOut } = this.#parts;
    const { admission } = replica;
    if (admission.memberCount(roomId) > LIMITS.receiptMembersMax) return;
    const isShown = (accountId: number) => admission.account(accountId)?.readsHidden === false;
    const positions = [...moved]
      .filter(([accountId]) => admission.isMember(roomId, accountId) && isShown(accountId))
      .map(([accountId, seq]) => ({ accountId, seq }));
    if (positions.length === 0) return;
    const field = readReceiptsField({ roomId, positions });
    for (const subscriber of fanOut.liveIn(roomId)) {
      if (!isShown(subscriber.accountId)) continue;
      const told = positions.filter(
        ({ accountId }) => !admission.areApart(subscriber.accountId, accountId),
      );
      if (told.length === positions.length) subscriber.readReceipts(field);
      else if (told.length > 0) {
        subscriber.readReceipts(readReceiptsField({ roomId, positions: told }));
      }
    }
  }
}
