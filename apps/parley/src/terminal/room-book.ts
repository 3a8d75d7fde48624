// What the chat knows of its rooms, kept current by events as the SDK does it. Pure.
import { afterEvent, type CachedRoom, newCachedRoom, roomOf, unreadOf } from "@parley/client";
import type { Event, Room } from "@parley/protocol";
import { findRoom } from "../cli/rooms.ts";

export class RoomBook {
  readonly #rows = new Map<number, CachedRoom>();

  get rooms(): readonly Room[] {
    return [...this.#rows.values()].map(({ room }) => room);
  }

  get(roomId: number): Room | undefined {
    return this.#rows.get(roomId)?.room;
  }

  find(reference: string): Room | undefined {
    return findRoom(this.rooms, reference);
  }

  /** Replaces all; a room that events have moved further stays as it is. */
  load(rooms: readonly Room[]): void {
    const before = new Map(this.#rows);
    this.#rows.clear();
    for (const room of rooms) {
      const known = before.get(room.id)?.room;
      const isBehind = known !== undefined && known.lastSeq > room.lastSeq;
      const readSeq = Math.max(room.readSeq, known?.readSeq ?? 0);
      this.put(isBehind ? { ...known, readSeq } : { ...room, readSeq });
    }
  }

  put(room: Room): void {
    // What was loaded is older than any event that comes from now on.
    this.#rows.set(room.id, newCachedRoom(room, 0));
  }

  /** In the room and in the threads of it that the account follows. */
  unread(roomId: number): number {
    const room = this.get(roomId);
    return room === undefined ? 0 : unreadOf(room).unread;
  }

  /** Of what is unread, what calls for attention: in a muted room only what mentions the account. */
  waiting(roomId: number): number {
    const room = this.get(roomId);
    if (room === undefined) return 0;
    const { unread, mentions } = unreadOf(room);
    return room.muted ? mentions : unread;
  }

  waitingExcept(roomId: number): number {
    let count = 0;
    for (const id of this.#rows.keys()) if (id !== roomId) count += this.waiting(id);
    return count;
  }

  /** The room itself was read; the marker that follows says what is unread now. */
  markRead(roomId: number, seq: number): void {
    const room = this.get(roomId);
    if (room === undefined || seq <= room.readSeq) return;
    const left = Math.max(0, room.lastSeq - seq);
    this.put({
      ...room,
      readSeq: seq,
      unreadCount: Math.min(room.unreadCount, left),
      mentionCount: Math.min(room.mentionCount, left),
    });
  }

  /** Follows an event; `ownId` is the account that looks. */
  apply(event: Event, ownId: number): void {
    const roomId = roomOf(event);
    const row = afterEvent(this.#rows.get(roomId), event, ownId);
    if (row === undefined) this.#rows.delete(roomId);
    else this.#rows.set(roomId, row);
  }
}
