import { Event } from "@parley/protocol";
import { expect, test } from "vitest";
import type { AccountRow, MemberRow, RoomRow } from "./rows.ts";
import {
  accountChangedEvent,
  membershipChangedEvent,
  messageChangedEvent,
  messageEvent,
  readMarkerEvent,
  roomChangedEvent,
  roomPreferenceEvent,
  roomRemovedEvent,
  roomResetEvent,
  roomWritingEvent,
} from "./views.ts";

const tracked = { stored: true, hashA: 0, hashB: 0 };
const account: AccountRow = {
  ...tracked,
  id: 5,
  username: "anna",
  usernameKey: "anna",
  displayName: "Anna",
  passwordHash: "secret",
  credentialsRevision: 5,
  owner: true,
  deleted: false,
  createdAtMs: 1,
  lastSeenMs: 2,
  changedRevision: 0,
  requestFloor: "",
  linkHash: "",
  linkExpiresAtMs: 0,
  blocked: null,
  blockedRevision: 0,
  readsHidden: true,
};
const room: RoomRow = {
  ...tracked,
  id: 6,
  name: "General",
  nameKey: "general",
  visibility: 1,
  topic: "t",
  lastSeq: 9,
  lastSentAtMs: 3,
  memberCount: 4,
  createdAtMs: 1,
  deleted: false,
  activityRevision: 8,
  infoRevision: 0,
  directLow: 0,
  directHigh: 0,
  replyCount: 0,
};
const member: MemberRow = {
  ...tracked,
  roomId: 6,
  accountId: 5,
  role: 2,
  joinedRevision: 7,
  joinedAtMs: 1,
  changedRevision: 7,
  removalReason: 0,
  removedBy: 0,
  banned: false,
  readSeq: 3,
  readRevision: 0,
  starred: true,
  muted: false,
  preferenceRevision: 8,
  writeForbiddenUntilMs: 1_000,
  writeForbiddenRevision: 9,
};

test.each([
  ["message", messageEvent(300, Uint8Array.of(8, 1))],
  ["messageChanged", messageChangedEvent(2 ** 40, Uint8Array.of(8, 1))],
  ["roomChanged", roomChangedEvent(300, room)],
  ["roomReset", roomResetEvent(300, room, member, account)],
  ["roomRemoved", roomRemovedEvent(300, 6, 2, 5)],
  ["membershipChanged", membershipChangedEvent(300, room, account, 2)],
  ["readMarker", readMarkerEvent(300, 6, 3, { unreadCount: 2, mentionCount: 1 })],
  ["roomPreference", roomPreferenceEvent(300, 6, { starred: true, muted: true })],
  ["roomWriting", roomWritingEvent(300, member)],
  ["accountChanged", accountChangedEvent(300, account)],
])("a %s event joined from parts is what encoding it whole gives", (name, bytes) => {
  const event = Event.decode(bytes);
  expect(event.event?.$case).toBe(name);
  expect(Buffer.from(Event.encode(event).finish())).toEqual(Buffer.from(bytes));
  expect(Buffer.from(bytes).includes("secret")).toBe(false);
});
