// Whom an admin has muted: nothing that they write in the room is accepted until that is over, and nobody else is refused as muted. Kept
// here from the log alone, by replicated time, which every node applies alike.
import type { AppliedBatch, AppliedEntry, CommittedEntry } from "@parley/chat";
import type { Command } from "@parley/protocol";
import type { Coverage } from "../coverage.ts";
import type { Checker, Report } from "../observer.ts";
import { FirstApplied } from "./first-applied.ts";

const PROPERTY = "muting";
const ADMIN = 2;

export class Muting implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #coverage: Coverage;
  /** By room and account, until when (replicated time, ms). */
  readonly #mutedUntilMs = new Map<string, number>();
  /** What was done already: a retry is answered as the first was, and changes nothing. */
  readonly #done = new Set<string>();
  #nowMs = 0;
  readonly #first = new FirstApplied();

  constructor(report: Report, coverage: Coverage) {
    this.#report = report;
    this.#coverage = coverage;
  }

  onApplied(_nodeId: number, batch: AppliedBatch, entries: readonly CommittedEntry[]): void {
    for (const { command, applied } of this.#first.of(batch, entries)) {
      this.#nowMs = Math.max(this.#nowMs, command.stampMs);
      this.#look(command, applied);
      // Whoever is made an admin may write; but an owner can mute one who is.
      if (command.op?.$case === "muteMember") continue;
      for (const change of applied.changes) {
        if (change.kind !== "member" || change.role < ADMIN) continue;
        this.#mutedUntilMs.delete(key(change.roomId, change.accountId));
      }
    }
  }

  #look({ op, accountId, requestId }: Command, { index, outcome }: AppliedEntry): void {
    switch (op?.$case) {
      case "muteMember": {
        if (outcome.kind !== "ok" || !this.#isNew(`${accountId} ${requestId}`)) return;
        const { roomId, accountId: target, muted, durationMs } = op.value;
        const untilMs = durationMs === 0 ? Number.POSITIVE_INFINITY : this.#nowMs + durationMs;
        if (muted) this.#mutedUntilMs.set(key(roomId, target), untilMs);
        else this.#mutedUntilMs.delete(key(roomId, target));
        return;
      }
      case "send":
        this.#judge(index, op.value.roomId, accountId, outcome, `send ${op.value.clientMessageId}`);
        return;
      case "edit":
        this.#judge(index, op.value.roomId, accountId, outcome, requestId);
        return;
      case "react":
        if (op.value.add) this.#judge(index, op.value.roomId, accountId, outcome, requestId);
        return;
    }
  }

  #judge(
    index: number,
    roomId: number,
    accountId: number,
    outcome: AppliedEntry["outcome"],
    request: string,
  ): void {
    const id = `${accountId} ${request}`;
    const isMuted = this.#nowMs < (this.#mutedUntilMs.get(key(roomId, accountId)) ?? 0);
    const what = `account ${accountId} in room ${roomId} at index ${index}`;
    if (outcome.kind === "refused" && outcome.error.reason === "MUTED") {
      this.#coverage.add("writes-of-muted-refused");
      if (!isMuted) this.#fail(`${what} is refused as muted, and is not`);
    } else if (outcome.kind === "ok" && this.#isNew(id) && isMuted) {
      this.#fail(`${what} writes, and is muted`);
    }
  }

  #isNew(id: string): boolean {
    if (this.#done.has(id)) return false;
    this.#done.add(id);
    return true;
  }

  #fail(detail: string): void {
    this.#report({ property: PROPERTY, detail });
  }
}

function key(roomId: number, accountId: number): string {
  return `${roomId} ${accountId}`;
}
