// Whom somebody has blocked: nothing that they write in the direct conversation of the two is accepted, nor can they open it, until the
// block is taken back; and nobody else is refused as blocked. Kept here from the log alone.
import type { AppliedBatch, AppliedEntry, CommittedEntry } from "@parley/chat";
import { type Command, OpenDirectResponse } from "@parley/protocol";
import type { Coverage } from "../coverage.ts";
import type { Checker, Report } from "../observer.ts";
import { FirstApplied } from "./first-applied.ts";

const PROPERTY = "blocking";

type Outcome = AppliedEntry["outcome"];

export class Blocking implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #coverage: Coverage;
  /** Who has blocked whom, as "blocker blocked". */
  readonly #blocked = new Set<string>();
  /** The two of each direct conversation that was opened. */
  readonly #pairs = new Map<number, readonly [number, number]>();
  /** What was done already: a retry is answered as the first was, and changes nothing. */
  readonly #done = new Set<string>();
  readonly #first = new FirstApplied();

  constructor(report: Report, coverage: Coverage) {
    this.#report = report;
    this.#coverage = coverage;
  }

  onApplied(_nodeId: number, batch: AppliedBatch, entries: readonly CommittedEntry[]): void {
    for (const { command, applied } of this.#first.of(batch, entries)) this.#look(command, applied);
  }

  #look({ op, accountId, requestId }: Command, { index, outcome }: AppliedEntry): void {
    switch (op?.$case) {
      case "block": {
        if (outcome.kind !== "ok" || !this.#isNew(accountId, requestId)) return;
        const pair = `${accountId} ${op.value.accountId}`;
        if (op.value.blocked) this.#blocked.add(pair);
        else this.#blocked.delete(pair);
        return;
      }
      case "openDirect": {
        this.#judge(index, accountId, op.value.accountId, outcome, requestId);
        if (outcome.kind !== "ok") return;
        const roomId = OpenDirectResponse.decode(outcome.response).room?.id ?? 0;
        this.#pairs.set(roomId, [accountId, op.value.accountId]);
        return;
      }
      case "send":
        this.#written(index, op.value.roomId, accountId, outcome, op.value.clientMessageId);
        return;
      case "edit":
      case "react":
        this.#written(index, op.value.roomId, accountId, outcome, requestId);
        return;
    }
  }

  #written(index: number, roomId: number, accountId: number, outcome: Outcome, id: string): void {
    const pair = this.#pairs.get(roomId);
    const peer = pair?.[0] === accountId ? pair[1] : (pair?.[0] ?? 0);
    this.#judge(index, accountId, peer, outcome, id);
  }

  /** `peer`: whom the account writes to; 0 = nobody in particular. */
  #judge(index: number, accountId: number, peer: number, outcome: Outcome, id: string): void {
    const isBlocked = this.#blocked.has(`${peer} ${accountId}`);
    const what = `account ${accountId} to account ${peer} at index ${index}`;
    if (outcome.kind === "refused" && outcome.error.reason === "BLOCKED") {
      this.#coverage.add("writes-of-blocked-refused");
      if (!isBlocked) this.#fail(`${what} is refused as blocked, and is not`);
    } else if (outcome.kind === "ok" && this.#isNew(accountId, id) && isBlocked) {
      this.#fail(`${what} comes through, and is blocked`);
    }
  }

  #isNew(accountId: number, request: string): boolean {
    const id = `${accountId} ${request}`;
    if (this.#done.has(id)) return false;
    this.#done.add(id);
    return true;
  }

  #fail(detail: string): void {
    this.#report({ property: PROPERTY, detail });
  }
}
