// Who is let in: nobody makes an account in an instance that has an owner while that owner has closed it, or without an invite where one
// is needed. Kept here from the log alone, which every node applies alike.
import type { AppliedBatch, CommittedEntry } from "@parley/chat";
import { Command, RegistrationMode } from "@parley/protocol";
import type { Coverage } from "../coverage.ts";
import type { Checker, Report } from "../observer.ts";

const PROPERTY = "admission";
const { REGISTRATION_MODE_OPEN, REGISTRATION_MODE_UNSPECIFIED } = RegistrationMode;

export class Admission implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #coverage: Coverage;
  #mode: RegistrationMode = REGISTRATION_MODE_UNSPECIFIED;
  /** Changes of the mode that were done: a retry is answered as the first was, and changes nothing. */
  readonly #changes = new Set<string>();
  #ownerId = 0;
  #checkedIndex = 0;

  constructor(report: Report, coverage: Coverage) {
    this.#report = report;
    this.#coverage = coverage;
  }

  onApplied(_nodeId: number, batch: AppliedBatch, entries: readonly CommittedEntry[]): void {
    for (const [i, entry] of entries.entries()) {
      const applied = batch.entries[i];
      // State machine safety makes every node's the same, so the first to apply an index speaks for all.
      if (applied === undefined || entry.index <= this.#checkedIndex) continue;
      this.#checkedIndex = entry.index;
      if (entry.command.length === 0) continue;
      const { op, requestId } = Command.decode(entry.command);
      const isDone = applied.outcome.kind === "ok";
      if (op?.$case === "setRegistration" && isDone && !this.#changes.has(requestId)) {
        this.#changes.add(requestId);
        this.#mode = op.value.mode;
      }
      // A retry is answered whatever the mode is by now: it changes nothing.
      if (op?.$case === "register" && applied.changes.length > 0) {
        this.#cameIn(op.value.username, entry.index);
      }
      if (applied.outcome.kind === "refused") this.#refused(applied.outcome.error.reason);
      for (const change of applied.changes) {
        if (change.kind !== "account") continue;
        if (change.owner) this.#ownerId = change.accountId;
        else if (this.#ownerId === change.accountId) this.#ownerId = 0;
      }
    }
  }

  #isOpen(): boolean {
    return this.#mode === REGISTRATION_MODE_OPEN || this.#mode === REGISTRATION_MODE_UNSPECIFIED;
  }

  #cameIn(username: string, index: number): void {
    if (this.#ownerId === 0 || this.#isOpen()) return;
    this.#report({
      property: PROPERTY,
      detail: `${username} made an account at index ${index}, in mode ${this.#mode}`,
    });
  }

  #refused(reason: string): void {
    if (reason !== "REGISTRATION_CLOSED" && reason !== "INVITE_REQUIRED") return;
    this.#coverage.add("registrations-refused");
    if (this.#ownerId !== 0 && !this.#isOpen()) return;
    this.#report({
      property: PROPERTY,
      detail: `a registration is refused as ${reason} while it is open`,
    });
  }
}
