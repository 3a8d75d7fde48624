// Who is let in: nobody makes an account in an instance that has an owner while that owner has closed it, or without an invite where one
// is needed; an invite of k uses admits k at the most; and nobody who comes in has a name that looks like somebody's who is there. Kept here from the log alone, which every node applies alike.
import type { AppliedBatch, AppliedEntry, CommittedEntry } from "@parley/chat";
import { type Command, RegistrationMode } from "@parley/protocol";
import type { Coverage } from "../coverage.ts";
import type { Checker, Report } from "../observer.ts";
import { FirstApplied } from "./first-applied.ts";

const PROPERTY = "admission";
/** As the state versions have it. */
const LOOK_ALIKES_SINCE = 16;
const {
  REGISTRATION_MODE_UNSPECIFIED,
  REGISTRATION_MODE_OPEN,
  REGISTRATION_MODE_INVITE_ONLY,
  REGISTRATION_MODE_CLOSED,
} = RegistrationMode;

interface Invite {
  readonly usesMax: number;
  uses: number;
}

export class Admission implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #coverage: Coverage;
  #mode: RegistrationMode = REGISTRATION_MODE_UNSPECIFIED;
  /** Changes of the mode that were done: a retry is answered as the first was, and changes nothing. */
  readonly #changes = new Set<string>();
  #ownerId = 0;
  #stateVersion = 0;
  /** How the usernames look, by account. */
  readonly #looks = new Map<number, string>();
  /** By the hash of their secrets. */
  readonly #invites = new Map<string, Invite>();
  readonly #first = new FirstApplied();

  constructor(report: Report, coverage: Coverage) {
    this.#report = report;
    this.#coverage = coverage;
  }

  onApplied(_nodeId: number, batch: AppliedBatch, entries: readonly CommittedEntry[]): void {
    for (const { command, applied } of this.#first.of(batch, entries)) {
      if (applied.outcome.kind === "ok") this.#done(command, applied);
      else if (applied.outcome.kind === "refused") this.#refused(applied.outcome.error.reason);
      for (const change of applied.changes) {
        if (change.kind === "state-version") this.#stateVersion = change.stateVersion;
        if (change.kind !== "account") continue;
        if (change.deleted) this.#looks.delete(change.accountId);
        else this.#looks.set(change.accountId, lookOf(change.username));
        if (change.owner) this.#ownerId = change.accountId;
        else if (this.#ownerId === change.accountId) this.#ownerId = 0;
      }
    }
  }

  #done({ op, requestId }: Command, { index, changes }: AppliedEntry): void {
    switch (op?.$case) {
      case "setRegistration":
        if (this.#changes.has(requestId)) return;
        this.#changes.add(requestId);
        this.#mode = op.value.mode;
        return;
      case "createInvite": {
        const hash = hex(op.value.secretHash);
        // A retry makes no other one.
        if (!this.#invites.has(hash))
          this.#invites.set(hash, { usesMax: op.value.usesMax, uses: 0 });
        return;
      }
      // A retry is answered whatever has become of the mode and the invite: it changes nothing.
      case "register": {
        if (changes.length === 0) return;
        const hash = hex(op.value.inviteHash);
        this.#cameIn(op.value.username, hash, index);
        this.#looksLikeNobody(op.value.username, index);
        if (this.#ownerId !== 0) this.#used(hash, index);
        return;
      }
      case "joinRoom": {
        if (changes.some(({ kind }) => kind === "member"))
          this.#used(hex(op.value.inviteHash), index);
        return;
      }
    }
  }

  #cameIn(username: string, inviteHash: string, index: number): void {
    if (this.#ownerId === 0) return;
    const isWelcome =
      this.#isOpen() || (this.#mode === REGISTRATION_MODE_INVITE_ONLY && inviteHash !== "");
    if (isWelcome && this.#mode !== REGISTRATION_MODE_CLOSED) return;
    this.#violated(`${username} made an account at index ${index}, in mode ${this.#mode}`);
  }

  /** Asked before the account itself is among them. */
  #looksLikeNobody(username: string, index: number): void {
    if (this.#stateVersion < LOOK_ALIKES_SINCE) return;
    if (![...this.#looks.values()].includes(lookOf(username))) return;
    this.#violated(`${username} made an account at index ${index}, and looks like another one`);
  }

  #used(inviteHash: string, index: number): void {
    if (inviteHash === "") return;
    const invite = this.#invites.get(inviteHash);
    if (invite === undefined) {
      this.#violated(`an invite that nobody made admits somebody at index ${index}`);
      return;
    }
    invite.uses += 1;
    this.#coverage.add("invites-used");
    if (invite.usesMax === 0 || invite.uses <= invite.usesMax) return;
    this.#violated(`an invite of ${invite.usesMax} uses admits ${invite.uses} at index ${index}`);
  }

  #isOpen(): boolean {
    return this.#mode === REGISTRATION_MODE_OPEN || this.#mode === REGISTRATION_MODE_UNSPECIFIED;
  }

  #refused(reason: string): void {
    if (reason === "INVITE_NOT_FOUND") this.#coverage.add("invites-refused");
    if (reason !== "REGISTRATION_CLOSED" && reason !== "INVITE_REQUIRED") return;
    this.#coverage.add("registrations-refused");
    if (this.#ownerId !== 0 && !this.#isOpen()) return;
    this.#violated(`a registration is refused as ${reason} while it is open`);
  }

  #violated(detail: string): void {
    this.#report({ property: PROPERTY, detail });
  }
}

/** Of the letters that people in the simulator use for it. */
function lookOf(username: string): string {
  const latin = new Map([..."\u0440\u0430\u0441\u0435"].map((letter, at) => [letter, "pace"[at]]));
  return [...username].map((letter) => latin.get(letter) ?? letter).join("");
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
