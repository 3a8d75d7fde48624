// What the page keeps between loads beside the databases of the SDK: who is signed in, where the nodes are, drafts. In local storage of this
// origin, which no other origin can read; where storage is forbidden or full, in memory, and whoever listens is told.
import type { Observable } from "@parley/client/browser";
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
const ASIDE = ":aside";
const UNREAD_MARKS = "parley:unread-marks:";
const SERVERS_MAX = 64;
const PROBE = "parley:probe";
/** Of a draft that outlives the page; a longer one would leave no room for all else. Browsers keep about 5 Mi for an origin. */
const DRAFT_CHARACTERS_MAX = 2 * 1024 * 1024;

/** What lives no longer than the page. */
const memory = new Map<string, string>();

/** Why something lives no longer than the page; "" = all is kept. */
export type KeepingProblem = "" | "forbidden" | "full";

let problem: KeepingProblem = "";
const listeners = new Set<() => void>();

/** Whether this browser keeps what the page gives it. */
export const keeping: Observable<KeepingProblem> = {
  subscribe: (listener) => {
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  },
  getSnapshot: () => problem,
};

function setProblem(now: KeepingProblem): void {
  if (now === problem) return;
  problem = now;
  for (const listener of [...listeners]) listener();
}

/** What is written and kept nowhere, such as the change of a message that is being edited. */
const unkept = new Set<object>();

/** Something that is being written would be lost with the page, until what this returns is called. */
export function holdUnkept(): () => void {
  const hold = {};
  unkept.add(hold);
  return () => {
    unkept.delete(hold);
  };
}

/** Whether a text that is being written would be lost with the page. */
export function hasUnkeptDraft(): boolean {
  return unkept.size > 0 || [...memory.keys()].some((key) => key.startsWith(DRAFT));
}

/** Undefined: nothing is kept there. */
export function read(key: string): string | undefined {
  const kept = memory.get(key);
  if (kept !== undefined) return kept;
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Undefined: keeps it no more. */
export function write(key: string, value: string | undefined): void {
  // What storage took is not kept here too: another tab may change it.
  memory.delete(key);
  const refusal = value === undefined ? remove(key) : store(key, value);
  if (refusal !== "" && value !== undefined) memory.set(key, value);
  // There may be room again for what found none.
  if (refusal === "") {
    for (const [other, kept] of [...memory]) if (store(other, kept) === "") memory.delete(other);
  }
  if (refusal !== "") setProblem(refusal);
  else if (memory.size === 0) setProblem("");
}

function store(key: string, value: string): KeepingProblem {
  if (key.startsWith(DRAFT) && value.length > DRAFT_CHARACTERS_MAX) return "full";
  try {
    localStorage.setItem(key, value);
    return "";
  } catch (cause) {
    return refusalOf(cause);
  }
}

function remove(key: string): KeepingProblem {
  try {
    localStorage.removeItem(key);
    return "";
  } catch (cause) {
    return refusalOf(cause);
  }
}

function refusalOf(cause: unknown): KeepingProblem {
  return cause instanceof Error && cause.name === "QuotaExceededError" ? "full" : "forbidden";
}

/** Finds out whether anything is kept, before there is something to lose. */
export function probeKeeping(): void {
  write(PROBE, "1");
  write(PROBE, undefined);
}

/** What JSON is kept there; undefined = none that can be read, null = nothing. */
export function keptValue(key: string): unknown {
  try {
    return JSON.parse(read(key) ?? "null");
  } catch {
    return undefined;
  }
}

export function savedSignIn(): SavedSignIn | undefined {
  const value = keptValue(SIGN_IN) as Partial<SavedSignIn> | null | undefined;
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
  // An older one must not come back in the place of one that finds no room.
  remove(SIGN_IN);
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
  const value = keptValue(SERVERS);
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
export function draftKey(scope: string, roomId: number, threadRootSeq: number): string {
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
  write(draftKey(scope, roomId, threadRootSeq), text === "" ? undefined : text);
}

/** What was pasted beside a draft, see `useSetAside`; "" = nothing. */
export function textAside(scope: string, roomId: number, threadRootSeq: number): string {
  return read(`${draftKey(scope, roomId, threadRootSeq)}${ASIDE}`) ?? "";
}

export function saveTextAside(
  scope: string,
  roomId: number,
  threadRootSeq: number,
  text: string,
): void {
  const key = `${draftKey(scope, roomId, threadRootSeq)}${ASIDE}`;
  write(key, text === "" ? undefined : text);
}

/** Drafts and marks, when the account signs out. */
export function forgetKept(scope: string): void {
  write(`${UNREAD_MARKS}${scope}`, undefined);
  for (const key of keptKeys(`${DRAFT}${scope}:`)) write(key, undefined);
}

/** Those that begin so. */
export function keptKeys(prefix: string): readonly string[] {
  const keys = new Set(memory.keys());
  try {
    for (const key of Object.keys(localStorage)) keys.add(key);
  } catch {
    // Forbidden: there is none but those in memory.
  }
  return [...keys].filter((key) => key.startsWith(prefix));
}

/** Where the marks of "unread" are kept; see `UnreadMarks`. */
export function unreadMarkStore(scope: string): MarkStore {
  const key = `${UNREAD_MARKS}${scope}`;
  return {
    load: () => keptValue(key),
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
