// What goes into the chat state and what comes out: plain data, so that it crosses threads.
import type { RoomRole, RoomVisibility, Error as WireError } from "@parley/protocol";

/** A committed log entry. `command` is an encoded `parley.v1.Command`; empty = nothing to apply. */
export interface CommittedEntry {
  readonly index: number;
  readonly term: number;
  readonly command: Uint8Array;
}

/** Who is told of an event. */
export type Audience =
  | { readonly kind: "room"; readonly roomId: number; readonly exceptAccountId: number }
  | { readonly kind: "account"; readonly accountId: number }
  | { readonly kind: "everyone" };

/** An encoded `parley.v1.Event` on its way to its audience: encoded once, sent to many. */
export interface Delivery {
  readonly audience: Audience;
  readonly event: Uint8Array;
}

/** The result that every retry of a command gets (P2). */
export type Outcome =
  /** `response`: the operation's encoded response message (SendResponse without `replicas`). */
  | { readonly kind: "ok"; readonly response: Uint8Array }
  | { readonly kind: "refused"; readonly error: WireError }
  /** An entry without a command (a new leader's no-op, a configuration change). */
  | { readonly kind: "empty" };

/** What the tables for admission must follow. Applied in order, before the entry's deliveries. */
export type AdmissionChange =
  | {
      readonly kind: "account";
      readonly accountId: number;
      readonly username: string;
      readonly usernameKey: string;
      readonly displayName: string;
      readonly owner: boolean;
      readonly deleted: boolean;
      readonly lastSeenMs: number;
      /** The revision that last set the password. */
      readonly credentialsRevision: number;
      readonly readsHidden: boolean;
    }
  | {
      readonly kind: "session";
      readonly sessionId: number;
      readonly accountId: number;
      /** SHA-256 of the token, hexadecimal. */
      readonly tokenHash: string;
      readonly expiresAtMs: number;
    }
  | { readonly kind: "session-ended"; readonly sessionId: number }
  | {
      readonly kind: "room";
      readonly roomId: number;
      readonly visibility: RoomVisibility;
      readonly deleted: boolean;
    }
  | {
      readonly kind: "member";
      readonly roomId: number;
      readonly accountId: number;
      readonly role: RoomRole;
      /** The revision of joining: what a subscription shows of the room comes after it. */
      readonly joinedRevision: number;
      /** An admin has forbidden it to write until then, milliseconds since the Unix epoch; 0 = none has. */
      readonly writeForbiddenUntilMs: number;
    }
  | { readonly kind: "member-removed"; readonly roomId: number; readonly accountId: number }
  /** Whom the account has blocked, all of them. */
  | {
      readonly kind: "blocked";
      readonly accountId: number;
      readonly blockedIds: readonly number[];
    }
  /** A member of a small room who shows it has read on. The tables don't keep it: it is for whom to tell of it. */
  | {
      readonly kind: "read";
      readonly roomId: number;
      readonly accountId: number;
      readonly seq: number;
    }
  /** From here on commands that came with this version may be proposed. */
  | { readonly kind: "state-version"; readonly stateVersion: number };

export interface AppliedEntry {
  readonly index: number;
  readonly term: number;
  readonly outcome: Outcome;
  readonly changes: readonly AdmissionChange[];
  readonly deliveries: readonly Delivery[];
}

export interface AppliedBatch {
  /** The last index applied; equals the last entry's. */
  readonly appliedIndex: number;
  readonly entries: readonly AppliedEntry[];
}

/** Where the tables start from: the changes that lead from nothing to the state at `appliedIndex`. */
export interface AdmissionSnapshot {
  readonly appliedIndex: number;
  readonly appliedTerm: number;
  /** The newest replicated time stamp applied; milliseconds since the Unix epoch. */
  readonly stampMs: number;
  readonly changes: readonly AdmissionChange[];
}

/** A read, answered from one consistent state. Each answer says which revision it saw. */
export type ChatQuery =
  /** One read of parley.v1.Chat: `request` and the answer are encoded messages. */
  | {
      readonly kind: "operation";
      readonly operation: string;
      readonly request: Uint8Array;
      readonly accountId: number;
      readonly sessionId: number;
    }
  /** What a password is checked against. */
  | { readonly kind: "credentials"; readonly usernameKey: string }
  /** Events for a subscriber after a cursor, one page; see CatchUpPage. */
  | {
      readonly kind: "catch-up";
      readonly accountId: number;
      readonly afterRevision: number;
      /** A page ends at the first whole revision at or past this many bytes. */
      readonly bytesMax: number;
    }
  /** How many events a catch-up would take, counted up to `countMax`. */
  | {
      readonly kind: "catch-up-count";
      readonly accountId: number;
      readonly afterRevision: number;
      readonly countMax: number;
    }
  /** Unread counts for the reply to a login: an encoded UnreadResponse. */
  | { readonly kind: "unread"; readonly accountId: number }
  /** Who may register, for those who have no account: an encoded GetRegistrationResponse. */
  | {
      readonly kind: "registration";
      /** SHA-256 of the secret of the invite that is asked about, hexadecimal; empty = none. */
      readonly inviteHash: string;
    }
  /** Recomputes the state hash from the tables, whole. */
  | { readonly kind: "recompute-hash" };

export type ChatAnswer =
  | { readonly kind: "response"; readonly revision: number; readonly response: Uint8Array }
  | { readonly kind: "refused"; readonly revision: number; readonly error: WireError }
  | {
      readonly kind: "credentials";
      readonly revision: number;
      /** 0 = no such account. */
      readonly accountId: number;
      readonly passwordHash: string;
      readonly credentialsRevision: number;
    }
  | {
      readonly kind: "page";
      /** The applied index of the state that was read. */
      readonly revision: number;
      /** Encoded events in revision order; a revision is never split between pages. */
      readonly events: readonly { readonly revision: number; readonly event: Uint8Array }[];
      /** Everything visible up to here is in the pages so far; equals `revision` on the last page. */
      readonly upToRevision: number;
    }
  | { readonly kind: "count"; readonly revision: number; readonly count: number }
  | {
      readonly kind: "hash";
      readonly revision: number;
      /** From the tables, whole. */
      readonly hash: string;
      /** What apply kept; another one means that the file was damaged. */
      readonly keptHash: string;
    };
