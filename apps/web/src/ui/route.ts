// Where the page is: `/` or `/r/ROOM` or `/r/ROOM/SEQ`, the last two also with `?thread=SEQ`, or for a moment `/join#SECRET`. Paths name no
// node, so that a link works on every one of them.
import { inviteSecretIn, passwordSecretIn } from "@parley/client/browser";
import { useSyncExternalStore } from "react";

export interface Route {
  /** 0 = none. */
  readonly roomId: number;
  /** The message that a permalink points at; 0 = none. */
  readonly seq: number;
  /** The message whose thread is open beside the room; 0 = none. Then `seq` is one of its replies. */
  readonly thread: number;
}

const listeners = new Set<() => void>();
let current = parse(here());

function here(): string {
  return globalThis.location === undefined ? "/" : location.pathname + location.search;
}

/** What is no number of ours is nothing. */
export function parse(path: string): Route {
  const match = /^\/r\/(\d{1,15})(?:\/(\d{1,15}))?\/?(?:\?(.*))?$/.exec(path);
  const thread = new URLSearchParams(match?.[3] ?? "").get("thread") ?? "";
  return {
    roomId: Number(match?.[1] ?? 0),
    seq: Number(match?.[2] ?? 0),
    thread: /^\d{1,15}$/.test(thread) ? Number(thread) : 0,
  };
}

export function pathOf({ roomId, seq, thread }: Route): string {
  if (roomId === 0) return "/";
  const query = thread === 0 ? "" : `?thread=${thread}`;
  return (seq === 0 ? `/r/${roomId}` : `/r/${roomId}/${seq}`) + query;
}

function changed(): void {
  current = parse(here());
  for (const listener of [...listeners]) listener();
}

export function goTo(roomId: number, seq = 0, thread = 0): void {
  const path = pathOf({ roomId, seq, thread });
  if (path === here()) return;
  history.pushState(null, "", path);
  changed();
}

/** The secret of the invite by whose link the page was opened; undefined = by none. */
export function inviteInAddress(): string | undefined {
  return inviteSecretIn(location.pathname + location.hash);
}

/** The same for a link that sets a password. */
export function passwordLinkInAddress(): string | undefined {
  return passwordSecretIn(location.pathname + location.hash);
}

/** A link has been followed: nobody finds its secret in the address or the history. */
export function forgetLink(): void {
  if ((inviteInAddress() ?? passwordLinkInAddress()) === undefined) return;
  history.replaceState(null, "", "/");
  changed();
}

/** The same place by its better name: going back does not lead to the other one. */
export function correct(route: Route): void {
  history.replaceState(null, "", pathOf(route));
  changed();
}

/** To a message: in its thread, if it stands in one. */
export function goToMessage(message: {
  readonly roomId: number;
  readonly seq: number;
  readonly threadRootSeq: number;
}): void {
  goTo(message.roomId, message.seq, message.threadRootSeq);
}

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) window.addEventListener("popstate", changed);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) window.removeEventListener("popstate", changed);
  };
}

export function useRoute(): Route {
  return useSyncExternalStore(subscribe, () => current);
}
