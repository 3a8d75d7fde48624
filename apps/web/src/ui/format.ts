// Times and names as people read them.
import {
  type Account,
  type Invite,
  type Room,
  unreadOf as unreadInAll,
} from "@parley/client/browser";
import { dateFormat } from "../text/locale.ts";
import { t } from "../text/t.ts";

export const clockTime = dateFormat({ hour: "2-digit", minute: "2-digit" });
export const fullTime = dateFormat({ dateStyle: "full", timeStyle: "medium" });
const day = dateFormat({ weekday: "long", day: "numeric", month: "long" });
const dayWithYear = dateFormat({ dateStyle: "full" });
const shortMoment = dateFormat({ dateStyle: "medium", timeStyle: "short" });

/** The time of today, or of another day with its date. `nowMs`: by the servers' clock. */
export function momentName(ms: number, nowMs: number): string {
  return (dayKey(ms) === dayKey(nowMs) ? clockTime : shortMoment)(ms);
}

/** The same for all moments of one day of this device's zone. */
export function dayKey(ms: number): string {
  const date = new Date(ms);
  return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;
}

/** Until the next day of this device's zone; at least a millisecond. */
export function dayLeftMs(ms: number): number {
  const date = new Date(ms);
  const nextMs = new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1).getTime();
  return Math.max(1, Math.ceil(nextMs - ms));
}

/** A moment of the day before; a day of 24 hours before would be another one where clocks are put forward. */
function dayBeforeMs(ms: number): number {
  const date = new Date(ms);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() - 1, 12).getTime();
}

/** `nowMs`: by the servers' clock. */
export function dayName(ms: number, nowMs: number): string {
  if (dayKey(ms) === dayKey(nowMs)) return t("day.today");
  if (dayKey(ms) === dayKey(dayBeforeMs(nowMs))) return t("day.yesterday");
  const sameYear = new Date(ms).getFullYear() === new Date(nowMs).getFullYear();
  return (sameYear ? day : dayWithYear)(ms);
}

/** "online", "last seen 14:02", "last seen Monday 2 March"; "" of one who never was. `nowMs`: by the servers' clock. */
export function presenceText({ online, lastSeenMs }: Account, nowMs: number): string {
  if (online) return t("presence.online");
  if (lastSeenMs === 0) return "";
  const isToday = dayKey(lastSeenMs) === dayKey(nowMs);
  const when = isToday ? clockTime(lastSeenMs) : dayName(lastSeenMs, nowMs);
  return t("presence.lastSeen", { when });
}

/** Names may hold characters that turn the direction of what follows, or that can't be seen. A joiner of pictures is neither. */
const INVISIBLE =
  /(?!\u200d)[\p{Cc}\p{Cf}\u2028\u2029]|(?<!\p{Extended_Pictographic}|\p{Emoji_Modifier}|\ufe0f)\u200d/gu;

export function plainName(name: string): string {
  const visible = name.replace(INVISIBLE, "");
  return visible.trim() === "" ? t("name.none") : visible;
}

/** Of names, as people sort them; many times quicker than `localeCompare`. */
export const compareNames = new Intl.Collator().compare;

const DIRECT = 3;

export function isDirect(room: Room): boolean {
  return room.visibility === DIRECT;
}

export function roomName(room: Room, ownAccountId: number): string {
  if (!isDirect(room)) return plainName(room.name);
  const { peer } = room;
  if (peer === undefined) return t("name.unknown");
  if (peer.id === ownAccountId) return t("name.self");
  const { username, displayName } = peer;
  const isPlain = displayName === "" || displayName.toLowerCase() === username.toLowerCase();
  // The username is unique and comes first; a display name may be anybody's.
  return isPlain
    ? plainName(displayName === "" ? username : displayName)
    : `${plainName(username)} (${plainName(displayName)})`;
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
  if (untilMs === 0) return t("room.muted");
  return t("room.mutedUntil", { when: momentName(untilMs, nowMs) });
}

/** 0…359, the same for the same name. */
export function hueOf(id: number): number {
  return (id * 137) % 360;
}

const encoder = new TextEncoder();

/** Bytes of a text as it travels. */
export function bytesOf(text: string): number {
  return encoder.encode(text).length;
}

/** Why a text is no message yet; "" = it is not too long. */
export function tooLongText(text: string, most: number): string {
  // Three bytes at most for each unit.
  if (text.length * 3 <= most) return "";
  const bytes = bytesOf(text);
  return bytes <= most ? "" : t("composer.tooLong", { bytes, most });
}

/** In thousands of bytes, one at least. */
export function fileSize(bytes: number): string {
  return t("files.size", { size: Math.ceil(bytes / 1000) });
}

/** ann invites you to #lobby. */
export function invitation(invite: Invite): string {
  const maker = plainName(invite.maker?.username ?? t("name.somebody"));
  if (invite.roomId === 0) return t("invite.toChat", { maker });
  return t("invite.toRoom", { maker, room: plainName(invite.roomName) });
}
