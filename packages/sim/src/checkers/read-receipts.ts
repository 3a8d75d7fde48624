// How far somebody has read is told by those who show it, to those who show it, and to members, not between two one of whom has blocked the
// other; it is as far as they have said. What a list says is judged by the state that it is of; what is pushed, by the states that the node
// may have looked at: none is older than what the subscriber had been shown.
import type { AppliedBatch } from "@parley/chat";
import type { RequestOf, RoomMember } from "@parley/protocol";
import type { Coverage } from "../coverage.ts";
import type { Checker, Operation, Report } from "../observer.ts";
import { Blocks, Switches } from "./switches.ts";

const PROPERTY = "read receipts";

export class ReadReceiptsChecker implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #coverage: Coverage;
  /** The newest entry that any node has applied. */
  #applied = 0;
  /** By `who`. */
  readonly #hidden = new Switches();
  readonly #blocks = new Blocks();
  /** By room and account: the revision that ended the last membership; infinity while it lasts. */
  readonly #endedAt = new Map<string, number>();
  /** By room and account, the furthest that it has asked to be marked as read. */
  readonly #said = new Map<string, number>();

  constructor(report: Report, coverage: Coverage) {
    this.#report = report;
    this.#coverage = coverage;
  }

  onInvoke({ kind, accountId }: Operation): void {
    if (kind.kind !== "write" || kind.name !== "markRead") return;
    const { roomId = 0, seq = 0, threadRootSeq = 0 }: Partial<RequestOf<"markRead">> = kind.fields;
    if (threadRootSeq > 0) return;
    const name = key(roomId, accountId);
    this.#said.set(name, Math.max(this.#said.get(name) ?? 0, seq));
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
        } else if (change.kind === "account") {
          this.#hidden.turn(who(change.accountId), index, change.readsHidden);
        } else {
          this.#blocks.onChange(change, index);
        }
      }
    }
  }

  onReceipt(
    client: string,
    accountId: number,
    {
      roomId,
      readerId,
      seq,
    }: { readonly roomId: number; readonly readerId: number; readonly seq: number },
    seenRevision: number,
  ): void {
    this.#coverage.add("receipts-told");
    const what = `${client} is told that account ${readerId} has read ${seq} of room ${roomId}`;
    if (seq > (this.#said.get(key(roomId, readerId)) ?? 0))
      this.#fail(`${what}, who never said so`);
    for (const id of [accountId, readerId]) {
      if ((this.#endedAt.get(key(roomId, id)) ?? 0) <= seenRevision) {
        this.#fail(`${what}, and ${id} is not in it since before revision ${seenRevision}`);
      }
      if (this.#hidden.isOnSince(who(id), seenRevision)) {
        this.#fail(`${what}, and ${who(id)} since before ${seenRevision}`);
      }
    }
    const apart = this.#blocks.since(seenRevision, accountId, readerId);
    if (apart !== undefined) this.#fail(`${what}, and ${apart} since before ${seenRevision}`);
  }

  onMembers(
    client: string,
    accountId: number,
    roomId: number,
    revision: number,
    members: readonly RoomMember[],
  ): void {
    for (const { account, readSeq } of members) {
      if (account === undefined || account.id === accountId || readSeq === 0) continue;
      this.#coverage.add("receipts-listed");
      const what = `${client} reads at ${revision} how far account ${account.id} has read room ${roomId}`;
      for (const name of [who(accountId), who(account.id)]) {
        if (this.#hidden.isOnAt(name, revision)) this.#fail(`${what}, and ${name}`);
      }
      const apart = this.#blocks.at(revision, accountId, account.id);
      if (apart !== undefined) this.#fail(`${what}, and ${apart}`);
    }
  }

  #fail(detail: string): void {
    this.#report({ property: PROPERTY, detail });
  }
}

function who(accountId: number): string {
  return `account ${accountId} hides it`;
}

function key(roomId: number, accountId: number): string {
  return `${roomId} ${accountId}`;
}
