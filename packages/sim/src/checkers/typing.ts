// Who types: it is told of nobody who did not type, and of members alone, to members alone, not between two one of whom has blocked the other.
// Judged by the states that the node may have looked at: none is older than what the subscriber had been shown when it was told.
import type { AppliedBatch } from "@parley/chat";
import type { Coverage } from "../coverage.ts";
import type { Checker, Report } from "../observer.ts";
import { Blocks } from "./switches.ts";

const PROPERTY = "typing is for members";

export class TypingForMembers implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #coverage: Coverage;
  /** The newest entry that any node has applied. */
  #applied = 0;
  /** By room and account: the revision that ended the last membership; infinity while it lasts. */
  readonly #endedAt = new Map<string, number>();
  readonly #typed = new Set<string>();
  readonly #blocks = new Blocks();

  constructor(report: Report, coverage: Coverage) {
    this.#report = report;
    this.#coverage = coverage;
  }

  onApplied(_nodeId: number, { entries }: AppliedBatch): void {
    for (const { index, changes } of entries) {
      if (index <= this.#applied) continue;
      this.#applied = index;
      for (const change of changes) {
        if (change.kind === "member") {
          this.#endedAt.set(key(change.roomId, change.accountId), Number.POSITIVE_INFINITY);
        } else if (change.kind === "member-removed") {
          this.#endedAt.set(key(change.roomId, change.accountId), index);
        } else {
          this.#blocks.onChange(change, index);
        }
      }
    }
  }

  onTypes(accountId: number, roomId: number): void {
    this.#typed.add(key(roomId, accountId));
    if (!this.#wasMember(roomId, accountId, this.#applied)) {
      this.#coverage.add("typing-of-strangers");
    }
  }

  onTypist(
    client: string,
    accountId: number,
    roomId: number,
    typistId: number,
    seenRevision: number,
  ): void {
    this.#coverage.add("typing-shown");
    const what = `${client} is told that account ${typistId} types in room ${roomId}`;
    if (!this.#typed.has(key(roomId, typistId)) || typistId === accountId) {
      this.#fail(`${what}, which it does not`);
    }
    if (!this.#wasMember(roomId, accountId, seenRevision)) {
      this.#fail(`${what}, and is itself not in the room since before revision ${seenRevision}`);
    }
    if (!this.#wasMember(roomId, typistId, seenRevision)) {
      this.#fail(`${what}, where it is not since before revision ${seenRevision}`);
    }
    const apart = this.#blocks.since(seenRevision, accountId, typistId);
    if (apart !== undefined) this.#fail(`${what}, and ${apart} since before ${seenRevision}`);
  }

  /** In the state of that revision, or in a later one. */
  #wasMember(roomId: number, accountId: number, revision: number): boolean {
    return (this.#endedAt.get(key(roomId, accountId)) ?? 0) > revision;
  }

  #fail(detail: string): void {
    this.#report({ property: PROPERTY, detail });
  }
}

function key(roomId: number, accountId: number): string {
  return `${roomId} ${accountId}`;
}
