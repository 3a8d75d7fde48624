// Where the page is: `/` or `/r/ROOM` or `/r/ROOM/SEQ`, or for a moment `/join#SECRET`. Paths name no node, so that a link works on every
// one of them.
import { inviteSecretIn, passwordSecretIn } from "@parley/client/browser";
import { useSyncExternalStore } from "react";

export interface Route {
  /** 0 = none. */
  readonly roomId: number;
  /** The message that a permalink points at; 0 = none. */
  readonly seq: number;
}

const listeners = new Set<() => void>();
let current = parse(globalThis.location?.pathname ?? "/");

/** What is no number of ours is nothing. */
export function parse(path: string): Route {
  const match = /^\/r\/(\d{1,15})(?:\/(\d{1,15}))?\/?$/.exec(path);
  return { roomId: Number(match?.[1] ?? 0), seq: Number(match?.[2] ?? 0) };
}

export function pathOf({ roomId, seq }: Route): string {
  if (roomId === 0) return "/";
  return seq === 0 ? `/r/${roomId}` : `/r/${roomId}/${seq}`;
}

function changed(): void {
  current = parse(location.pathname);
  for (const listener of [...listeners]) listener();
}

export function goTo(roomId: number, seq = 0): void {
  const path = pathOf({ roomId, seq });
  if (path === location.pathname) return;
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
