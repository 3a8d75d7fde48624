// How people name rooms on the command line and in the chat.
import { inviteSecretIn, type ParleyClient } from "@parley/client";
import {
  type JoinRoomResponse,
  type Message,
  ParleyError,
  type Room,
  RoomVisibility,
} from "@parley/protocol";

const PAGES_MAX = 20;

/** What a person reads for a room. */
export function roomTitle(room: Room): string {
  if (room.visibility !== RoomVisibility.ROOM_VISIBILITY_DIRECT) return room.name;
  return `@${room.peer?.username ?? "?"}`;
}

/** One's own rooms, or the public ones that one is not in. */
export async function listRooms(
  client: ParleyClient,
  options: { readonly public?: boolean; readonly pattern?: string; readonly deadlineMs?: number },
): Promise<{ rooms: Room[]; staleMs: number }> {
  const rooms: Room[] = [];
  let pageToken = "";
  let staleMs = 0;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const request = { public: options.public ?? false, pattern: options.pattern ?? "", pageToken };
    const reply = await client.call("listRooms", request, { deadlineMs: options.deadlineMs });
    rooms.push(...reply.rooms);
    staleMs = Math.max(staleMs, reply.staleMs);
    pageToken = reply.nextPageToken;
    if (pageToken === "") break;
  }
  return { rooms, staleMs };
}

/** Messages of others that are neither read nor deleted, by room; as the server counts them. */
export async function unreadCounts(
  client: ParleyClient,
  deadlineMs?: number,
): Promise<ReadonlyMap<number, number>> {
  const { rooms } = await client.call("unread", {}, { deadlineMs });
  return new Map(rooms.map(({ roomId, unreadCount }) => [roomId, unreadCount]));
}

function sameName(left: string, right: string): boolean {
  return left.normalize("NFKC").toLowerCase() === right.normalize("NFKC").toLowerCase();
}

/** The room that `reference` (a number, a name, `#name`, `@username`) means among `rooms`. */
export function findRoom(rooms: readonly Room[], reference: string): Room | undefined {
  const bare = reference.replace(/^#/, "");
  const byTitle = rooms.find((room) => sameName(roomTitle(room), bare));
  if (byTitle !== undefined || reference.startsWith("@")) return byTitle;
  return /^\d+$/.test(bare) ? rooms.find((room) => room.id === Number(bare)) : undefined;
}

/** A room that the account is in. Rejects with ROOM_NOT_FOUND and what to do. */
export async function ownRoom(
  client: ParleyClient,
  reference: string,
  deadlineMs?: number,
): Promise<Room> {
  const { rooms } = await listRooms(client, deadlineMs === undefined ? {} : { deadlineMs });
  const room = findRoom(rooms, reference);
  if (room !== undefined) return room;
  throw new ParleyError(
    "ROOM_NOT_FOUND",
    `You are in no room "${reference}". \`rooms\` lists yours, \`rooms --public\` those you can join.`,
  );
}

/** A public room to join, or one that the account is in already. */
export async function joinableRoom(
  client: ParleyClient,
  reference: string,
  deadlineMs?: number,
): Promise<Room> {
  const options = deadlineMs === undefined ? {} : { deadlineMs };
  const open = await listRooms(client, { ...options, public: true });
  const own = await listRooms(client, options);
  const room = findRoom(open.rooms, reference) ?? findRoom(own.rooms, reference);
  if (room !== undefined) return room;
  throw new ParleyError("ROOM_NOT_FOUND", `There is no public room "${reference}".`);
}

/** Joins the room that `reference` means: the one that an invite's link leads to, or a public one. */
export async function joinByReference(
  client: ParleyClient,
  reference: string,
  deadlineMs?: number,
): Promise<JoinRoomResponse> {
  const inviteSecret = inviteSecretIn(reference);
  if (inviteSecret !== undefined) {
    return await client.call("joinRoom", { inviteSecret }, { deadlineMs });
  }
  const room = await joinableRoom(client, reference, deadlineMs);
  return await client.call("joinRoom", { roomId: room.id }, { deadlineMs });
}

/** A room's message by its number; undefined where there is none. */
export async function messageOf(
  client: ParleyClient,
  roomId: number,
  seq: number,
  deadlineMs?: number,
): Promise<Message | undefined> {
  const range = { roomId, beforeSeq: seq + 1, limit: 1 };
  const { messages } = await client.call("history", range, { deadlineMs });
  return messages.find((message) => message.seq === seq);
}
