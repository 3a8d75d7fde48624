// Links for forgotten passwords: only the owner makes them, each sets one password, once, before it expires, and none counts any more when
// another was made for the account or its password was changed otherwise. Kept here from the log alone, by replicated time.
import type { AppliedBatch, AppliedEntry, CommittedEntry } from "@parley/chat";
import type { Command } from "@parley/protocol";
import type { Coverage } from "../coverage.ts";
import type { Checker, Report } from "../observer.ts";
import { FirstApplied } from "./first-applied.ts";

const PROPERTY = "password links";

interface Link {
  readonly accountId: number;
  /** Replicated time, milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}

export class PasswordLinks implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #coverage: Coverage;
  /** Those that count, by the hash of their secrets. */
  readonly #links = new Map<string, Link>();
  /** What was done already: a retry is answered as the first was, and changes nothing. */
  readonly #done = new Set<string>();
  readonly #first = new FirstApplied();
  #ownerId = 0;
  #nowMs = 0;

  constructor(report: Report, coverage: Coverage) {
    this.#report = report;
    this.#coverage = coverage;
  }

  onApplied(_nodeId: number, batch: AppliedBatch, entries: readonly CommittedEntry[]): void {
    for (const { command, applied } of this.#first.of(batch, entries)) {
      this.#nowMs = Math.max(this.#nowMs, command.stampMs);
      const { outcome } = applied;
      if (outcome.kind === "ok") this.#accepted(command, applied);
      else if (outcome.kind === "refused" && outcome.error.reason === "PASSWORD_LINK_NOT_FOUND") {
        this.#refused(command, applied.index);
      }
      for (const change of applied.changes) {
        if (change.kind === "account" && change.owner) this.#ownerId = change.accountId;
      }
    }
  }

  #accepted({ op, accountId, requestId }: Command, { index }: AppliedEntry): void {
    switch (op?.$case) {
      case "createPasswordLink": {
        if (!this.#isNew(accountId, requestId)) return;
        if (accountId !== this.#ownerId) {
          this.#say(`account ${accountId}, not the owner, makes a link at index ${index}`);
        }
        this.#forget(op.value.accountId);
        const expiresAtMs = this.#nowMs + op.value.ttlMs;
        this.#links.set(hex(op.value.secretHash), { accountId: op.value.accountId, expiresAtMs });
        return;
      }
      case "usePasswordLink": {
        if (!this.#isNew(accountId, requestId)) return;
        const link = this.#counting(op.value.secretHash);
        if (link === undefined) this.#say(`a link that does not count is used at index ${index}`);
        else this.#forget(link.accountId);
        this.#coverage.add("password-links-used");
        return;
      }
      case "setPassword":
        if (!this.#isNew(accountId, requestId)) return;
        this.#forget(op.value.targetAccountId || accountId);
        return;
      case "deleteAccount":
        this.#forget(accountId);
        return;
    }
  }

  #refused({ op }: Command, index: number): void {
    if (op?.$case !== "usePasswordLink") return;
    this.#coverage.add("password-links-refused");
    if (this.#counting(op.value.secretHash) === undefined) return;
    this.#say(`a link that counts is refused at index ${index}`);
  }

  #isNew(accountId: number, requestId: string): boolean {
    const id = `${accountId} ${requestId}`;
    if (this.#done.has(id)) return false;
    this.#done.add(id);
    return true;
  }

  #counting(secretHash: Uint8Array): Link | undefined {
    const link = this.#links.get(hex(secretHash));
    return link !== undefined && link.expiresAtMs > this.#nowMs ? link : undefined;
  }

  #forget(accountId: number): void {
    for (const [hash, link] of this.#links) {
      if (link.accountId === accountId) this.#links.delete(hash);
    }
  }

  #say(detail: string): void {
    this.#report({ property: PROPERTY, detail });
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
