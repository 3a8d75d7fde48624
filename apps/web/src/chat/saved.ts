// What the page keeps between loads beside the databases of the SDK: who is signed in, where the nodes are, drafts. In local storage of this
// origin, which no other origin can read; where storage is forbidden, in memory.
import type { MarkStore } from "./unread-marks.ts";

export interface SavedSignIn {
  readonly token: string;
  readonly tokenRevision: number;
  readonly clusterId: string;
  readonly accountId: number;
  readonly username: string;
}

const SIGN_IN = "parley:sign-in";
const SERVERS = "parley:servers";
const TYPING = "parley:typing";
const DRAFT = "parley:draft:";
const UNREAD_MARKS = "parley:unread-marks:";
const SERVERS_MAX = 64;
const DRAFT_CHARACTERS_MAX = 65_536;

const memory = new Map<string, string>();

function read(key: string): string | undefined {
  const kept = memory.get(key);
  if (kept !== undefined) return kept;
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

function write(key: string, value: string | undefined): void {
  // What storage took is not kept here too: another tab may change it.
  memory.delete(key);
  try {
    if (value === undefined) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Full or forbidden: it lives as long as the page.
    if (value !== undefined) memory.set(key, value);
  }
}

function parsed(key: string): unknown {
  try {
    return JSON.parse(read(key) ?? "null");
  } catch {
    return undefined;
  }
}

export function savedSignIn(): SavedSignIn | undefined {
  const value = parsed(SIGN_IN) as Partial<SavedSignIn> | null | undefined;
  const complete =
    typeof value?.token === "string" &&
    value.token !== "" &&
    typeof value.tokenRevision === "number" &&
    typeof value.clusterId === "string" &&
    typeof value.accountId === "number" &&
    typeof value.username === "string";
  return complete ? (value as SavedSignIn) : undefined;
}

export function saveSignIn(signIn: SavedSignIn | undefined): void {
  write(SIGN_IN, signIn === undefined ? undefined : JSON.stringify(signIn));
}

/** Calls `listener` when another tab signs in or out. Returns how to stop it. */
export function onSignInElsewhere(listener: () => void): () => void {
  const onStorage = (event: StorageEvent) => {
    if (event.key === SIGN_IN || event.key === null) listener();
  };
  window.addEventListener("storage", onStorage);
  return () => window.removeEventListener("storage", onStorage);
}

/** The node that served the page first, then those that it has told of. */
export function savedServers(): readonly string[] {
  const value = parsed(SERVERS);
  const servers = Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
  return [...new Set([location.origin, ...servers])].slice(0, SERVERS_MAX);
}

export function saveServers(servers: readonly string[]): void {
  write(SERVERS, JSON.stringify(servers.slice(0, SERVERS_MAX)));
}

/** Whether others are told that the person types; they are, unless this device was told not to. */
export function tellsTyping(): boolean {
  return read(TYPING) !== "off";
}

export function saveTellsTyping(tells: boolean): void {
  write(TYPING, tells ? undefined : "off");
}

/** Of the room, or of a thread of it. */
function draftKey(scope: string, roomId: number, threadRootSeq: number): string {
  const thread = threadRootSeq === 0 ? "" : `:${threadRootSeq}`;
  return `${DRAFT}${scope}:${roomId}${thread}`;
}

/** `scope`: of whom the draft is, see `scopeOf`. */
export function draftOf(scope: string, roomId: number, threadRootSeq: number): string {
  return read(draftKey(scope, roomId, threadRootSeq)) ?? "";
}

export function saveDraft(
  scope: string,
  roomId: number,
  threadRootSeq: number,
  text: string,
): void {
  const kept = text === "" ? undefined : text.slice(0, DRAFT_CHARACTERS_MAX);
  write(draftKey(scope, roomId, threadRootSeq), kept);
}

/** Drafts and marks, when the account signs out. */
export function forgetKept(scope: string): void {
  write(`${UNREAD_MARKS}${scope}`, undefined);
  const prefix = `${DRAFT}${scope}:`;
  const keys = new Set(memory.keys());
  try {
    for (const key of Object.keys(localStorage)) keys.add(key);
  } catch {
    // Forbidden: there is none but those in memory.
  }
  for (const key of keys) if (key.startsWith(prefix)) write(key, undefined);
}

/** Where the marks of "unread" are kept; see `UnreadMarks`. */
export function unreadMarkStore(scope: string): MarkStore {
  const key = `${UNREAD_MARKS}${scope}`;
  return {
    load: () => parsed(key),
    save: (rooms) => {
      write(key, Object.keys(rooms).length === 0 ? undefined : JSON.stringify(rooms));
    },
    onSavedElsewhere: (listener) => {
      const onStorage = (event: StorageEvent) => {
        if (event.key === key || event.key === null) listener();
      };
      window.addEventListener("storage", onStorage);
      return () => window.removeEventListener("storage", onStorage);
    },
  };
}

/** Browser data is kept apart by cluster and account. */
export function scopeOf({ clusterId, accountId }: SavedSignIn): string {
  return `${clusterId}:${accountId}`;
}
