// Times and names as people read them.
import { type Invite, type Room, unreadOf as unreadInAll } from "@parley/client/browser";

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const dayWithYear = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const DAY_MS = 24 * 60 * 60 * 1000;

const shortMoment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export const clockTime = (ms: number): string => time.format(ms);
export const fullTime = (ms: number): string => moment.format(ms);

/** The time of today, or of another day with its date. `nowMs`: by the servers' clock. */
export function momentName(ms: number, nowMs: number): string {
  return (dayKey(ms) === dayKey(nowMs) ? time : shortMoment).format(ms);
}

/** The same for all moments of one day of this device's zone. */
export function dayKey(ms: number): string {
  const date = new Date(ms);
  return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;
}

/** `nowMs`: by the servers' clock. */
export function dayName(ms: number, nowMs: number): string {
  if (dayKey(ms) === dayKey(nowMs)) return "Today";
  if (dayKey(ms) === dayKey(nowMs - DAY_MS)) return "Yesterday";
  const sameYear = new Date(ms).getFullYear() === new Date(nowMs).getFullYear();
  return (sameYear ? day : dayWithYear).format(ms);
}

/** Names may hold characters that turn the direction of what follows, or that can't be seen. */
const INVISIBLE = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

export function plainName(name: string): string {
  const visible = name.replace(INVISIBLE, "");
  return visible.trim() === "" ? "(no name)" : visible;
}

const DIRECT = 3;

export function isDirect(room: Room): boolean {
  return room.visibility === DIRECT;
}

export function roomName(room: Room, ownAccountId: number): string {
  if (!isDirect(room)) return plainName(room.name);
  const { peer } = room;
  if (peer === undefined) return "(unknown)";
  if (peer.id === ownAccountId) return "Notes to self";
  return plainName(peer.displayName === "" ? peer.username : peer.displayName);
}

export function unreadOf(room: Room): number {
  return unreadInAll(room).unread;
}

export function mentionsOf(room: Room): number {
  return unreadInAll(room).mentions;
}

/** How much of a room calls for attention: of a muted one only what mentions the account. */
export function waitingIn(room: Room): number {
  return room.muted ? mentionsOf(room) : unreadOf(room);
}

export function mutedText({ writeForbiddenUntilMs: untilMs }: Room, nowMs: number): string {
  const until = untilMs === 0 ? "" : ` until ${momentName(untilMs, nowMs)}`;
  return `An admin of this room has muted you${until}.`;
}

/** 0…359, the same for the same name. */
export function hueOf(id: number): number {
  return (id * 137) % 360;
}

export function problemText(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** ann invites you to #lobby. */
export function invitation({ maker, roomId, roomName }: Invite): string {
  const where = roomId === 0 ? "this chat" : `#${plainName(roomName)}`;
  return `${plainName(maker?.username ?? "Somebody")} invites you to ${where}.`;
}
