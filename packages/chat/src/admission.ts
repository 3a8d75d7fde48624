// The mirror of the replicated state that the node's main loop keeps in memory: who a token belongs
// to, who is in which room. Fed with the snapshot at the start and with every change after it.
//
// What a mirror may refuse by itself. A node can be behind, and every write can be the retry of one
// that succeeded (P2) and must then get its first result, so `precheck` refuses only
//  - what is invalid by itself (`checkCommand`), and
//  - what names something that can never have been there or will never be there again: ids are
//    revisions, so an id at or below the mirror's own revision that it does not know never comes to
//    be; nor does an ended session or a deleted account return.
// Everything else that looks wrong is `unsure`: propose it, and let apply decide.
import { type Command, ParleyError } from "@parley/protocol";
import { checkCommand } from "./check-command.ts";
import { STATE_VERSION_FIRST } from "./state-version.ts";
import type { AdmissionChange, AdmissionSnapshot, AppliedEntry } from "./types.ts";

type ChangeOf<K extends AdmissionChange["kind"]> = Extract<AdmissionChange, { kind: K }>;
export type AdmittedAccount = ChangeOf<"account">;
export type AdmittedRoom = ChangeOf<"room">;
export type AdmittedMember = ChangeOf<"member">;

export type Precheck =
  | { readonly kind: "pass" }
  /** Final: apply would refuse it too, wherever and whenever it is applied. */
  | { readonly kind: "refuse"; readonly error: ParleyError }
  /** Apply will probably answer with `error`; this mirror can't know. */
  | { readonly kind: "unsure"; readonly error: ParleyError };

const PASS: Precheck = { kind: "pass" };

export class Admission {
  readonly #accounts = new Map<number, AdmittedAccount>();
  readonly #accountIdByKey = new Map<string, number>();
  readonly #sessions = new Map<number, ChangeOf<"session">>();
  readonly #sessionIdByToken = new Map<string, number>();
  readonly #sessionsByAccount = new Map<number, Set<number>>();
  readonly #rooms = new Map<number, AdmittedRoom>();
  readonly #members = new Map<number, Map<number, AdmittedMember>>();
  readonly #roomsByAccount = new Map<number, Set<number>>();
  /** By who has blocked them. */
  readonly #blocked = new Map<number, ReadonlySet<number>>();
  #ownerId = 0;
  #appliedIndex = 0;
  #stateVersion = STATE_VERSION_FIRST;

  /** Whether the instance has an owner. */
  get hasOwner(): boolean {
    return this.#ownerId !== 0;
  }

  /** The revision that the mirror stands at. */
  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  /** What commands may be proposed: those that came with this version, and earlier ones. */
  get stateVersion(): number {
    return this.#stateVersion;
  }

  /** Starts from a snapshot; whatever was there is dropped. */
  load(snapshot: AdmissionSnapshot): void {
    this.#accounts.clear();
    this.#accountIdByKey.clear();
    this.#sessions.clear();
    this.#sessionIdByToken.clear();
    this.#sessionsByAccount.clear();
    this.#rooms.clear();
    this.#members.clear();
    this.#roomsByAccount.clear();
    this.#blocked.clear();
    this.#ownerId = 0;
    this.#stateVersion = STATE_VERSION_FIRST;
    for (const change of snapshot.changes) this.apply(change);
    this.#appliedIndex = snapshot.appliedIndex;
  }

  /** All changes of an entry, and its index. */
  applyEntry(entry: AppliedEntry): void {
    for (const change of entry.changes) this.apply(change);
    this.#appliedIndex = entry.index;
  }

  /** One change. Until `applyEntry` has been called the revision stays behind, which is safe. */
  apply(change: AdmissionChange): void {
    switch (change.kind) {
      case "account":
        this.#setAccount(change);
        return;
      case "session": {
        this.#endSession(change.sessionId);
        this.#sessions.set(change.sessionId, change);
        this.#sessionIdByToken.set(change.tokenHash, change.sessionId);
        addTo(this.#sessionsByAccount, change.accountId, change.sessionId);
        return;
      }
      case "session-ended":
        this.#endSession(change.sessionId);
        return;
      case "room":
        this.#rooms.set(change.roomId, change);
        return;
      case "member": {
        let members = this.#members.get(change.roomId);
        if (members === undefined) {
          members = new Map();
          this.#members.set(change.roomId, members);
        }
        members.set(change.accountId, change);
        addTo(this.#roomsByAccount, change.accountId, change.roomId);
        return;
      }
      case "member-removed": {
        const members = this.#members.get(change.roomId);
        members?.delete(change.accountId);
        if (members?.size === 0) this.#members.delete(change.roomId);
        removeFrom(this.#roomsByAccount, change.accountId, change.roomId);
        return;
      }
      case "blocked":
        this.#blocked.set(change.accountId, new Set(change.blockedIds));
        return;
      case "read":
        return;
      case "state-version":
        this.#stateVersion = change.stateVersion;
        return;
    }
  }

  #setAccount(account: AdmittedAccount): void {
    const before = this.#accounts.get(account.accountId);
    if (before !== undefined && this.#accountIdByKey.get(before.usernameKey) === before.accountId) {
      this.#accountIdByKey.delete(before.usernameKey);
    }
    this.#accounts.set(account.accountId, account);
    if (account.owner) this.#ownerId = account.accountId;
    else if (this.#ownerId === account.accountId) this.#ownerId = 0;
    if (!account.deleted) this.#accountIdByKey.set(account.usernameKey, account.accountId);
  }

  #endSession(sessionId: number): void {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return;
    this.#sessions.delete(sessionId);
    this.#sessionIdByToken.delete(session.tokenHash);
    removeFrom(this.#sessionsByAccount, session.accountId, sessionId);
  }

  /** Whose the token is; undefined when no live session has it at `nowMs` (Unix epoch). */
  authenticate(
    tokenHashHex: string,
    nowMs: number,
  ): { readonly accountId: number; readonly sessionId: number } | undefined {
    const sessionId = this.#sessionIdByToken.get(tokenHashHex);
    const session = sessionId === undefined ? undefined : this.#sessions.get(sessionId);
    if (session === undefined || session.expiresAtMs <= nowMs) return undefined;
    return { accountId: session.accountId, sessionId: session.sessionId };
  }

  session(sessionId: number): ChangeOf<"session"> | undefined {
    return this.#sessions.get(sessionId);
  }

  /** The live sessions of an account. */
  sessionsOf(accountId: number): Iterable<number> {
    return this.#sessionsByAccount.get(accountId) ?? [];
  }

  account(accountId: number): AdmittedAccount | undefined {
    return this.#accounts.get(accountId);
  }

  /** The account that has the username now; the key is `normaliseUsername`'s. */
  accountByKey(usernameKey: string): AdmittedAccount | undefined {
    const id = this.#accountIdByKey.get(usernameKey);
    return id === undefined ? undefined : this.#accounts.get(id);
  }

  room(roomId: number): AdmittedRoom | undefined {
    return this.#rooms.get(roomId);
  }

  isMember(roomId: number, accountId: number): boolean {
    return this.#members.get(roomId)?.has(accountId) === true;
  }

  membership(roomId: number, accountId: number): AdmittedMember | undefined {
    return this.#members.get(roomId)?.get(accountId);
  }

  memberCount(roomId: number): number {
    return this.#members.get(roomId)?.size ?? 0;
  }

  /** Whether one of the two has blocked the other. */
  areApart(oneId: number, otherId: number): boolean {
    return (
      this.#blocked.get(oneId)?.has(otherId) === true ||
      this.#blocked.get(otherId)?.has(oneId) === true
    );
  }

  /** Ids of the accounts in a room. */
  roomMembers(roomId: number): Iterable<number> {
    return this.#members.get(roomId)?.keys() ?? [];
  }

  /** Ids of the rooms that an account is in. */
  roomsOf(accountId: number): Iterable<number> {
    return this.#roomsByAccount.get(accountId) ?? [];
  }

  /** See the head of this file for what may be refused here. */
  precheck(command: Command): Precheck {
    const problem = checkCommand(command);
    if (problem !== undefined) return { kind: "refuse", error: problem };
    const { op } = command;
    if (op?.$case === "raiseStateVersion" || op?.$case === "usePasswordLink") return PASS;
    if (op?.$case === "register") return this.#precheckRegister(op.value.usernameKey);
    return this.#precheckActor(command) ?? this.#precheckRoom(command) ?? PASS;
  }

  /** Never final: the taken name may be this very request's, or free again by the time it applies. */
  #precheckRegister(usernameKey: string): Precheck {
    if (!this.#accountIdByKey.has(usernameKey)) return PASS;
    return {
      kind: "unsure",
      error: new ParleyError("USERNAME_TAKEN", "The username is taken."),
    };
  }

  /** An id that the mirror does not know: never there (final) or not there yet. */
  #missing(id: number, error: ParleyError): Precheck {
    return { kind: id <= this.#appliedIndex ? "refuse" : "unsure", error };
  }

  #precheckActor(command: Command): Precheck | undefined {
    const account = this.#accounts.get(command.accountId);
    // Made only when needed: the stack trace of an error costs more than the rest of a send.
    const gone = () => new ParleyError("UNAUTHENTICATED", "The session has ended; log in again.");
    if (account === undefined) return this.#missing(command.accountId, gone());
    if (account.deleted) return { kind: "refuse", error: gone() };
    if (command.sessionId === 0) return undefined;
    const session = this.#sessions.get(command.sessionId);
    if (session === undefined) return this.#missing(command.sessionId, gone());
    if (session.accountId === command.accountId) return undefined;
    return { kind: "refuse", error: gone() };
  }

  #precheckRoom(command: Command): Precheck | undefined {
    const value = command.op?.value;
    // Where an invite leads is not known here; one of the owner's leads to no room at all.
    if (command.op?.$case === "joinRoom" && command.op.value.inviteHash.length > 0)
      return undefined;
    if (value === undefined || !("roomId" in value)) return undefined;
    if (command.op?.$case === "createInvite" && value.roomId === 0) return undefined;
    const room = this.#rooms.get(value.roomId);
    const missing = () => new ParleyError("ROOM_NOT_FOUND", "There is no such room.");
    if (room === undefined) return this.#missing(value.roomId, missing());
    if (room.deleted) return { kind: "unsure", error: missing() };
    if (command.op?.$case !== "joinRoom" && !this.isMember(value.roomId, command.accountId)) {
      return {
        kind: "unsure",
        error: new ParleyError("NOT_A_MEMBER", "You are not a member of this room."),
      };
    }
    return undefined;
  }
}

function addTo(sets: Map<number, Set<number>>, key: number, value: number): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

function removeFrom(sets: Map<number, Set<number>>, key: number, value: number): void {
  const set = sets.get(key);
  set?.delete(value);
  if (set?.size === 0) sets.delete(key);
}
