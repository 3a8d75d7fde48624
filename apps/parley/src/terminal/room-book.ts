// What the chat knows of its rooms, kept current by events. Pure.
import { type Event, type Room, RoomRole } from "@parley/protocol";
import { findRoom } from "../cli/rooms.ts";

export class RoomBook {
  readonly #rooms = new Map<number, Room>();

  get rooms(): readonly Room[] {
    return [...this.#rooms.values()];
  }

  get(roomId: number): Room | undefined {
    return this.#rooms.get(roomId);
  }

  find(reference: string): Room | undefined {
    return findRoom(this.rooms, reference);
  }

  /** Replaces all; positions that events have moved further stay. */
  load(rooms: readonly Room[]): void {
    const before = new Map(this.#rooms);
    this.#rooms.clear();
    for (const room of rooms) {
      const known = before.get(room.id);
      this.#rooms.set(room.id, {
        ...room,
        lastSeq: Math.max(room.lastSeq, known?.lastSeq ?? 0),
        readSeq: Math.max(room.readSeq, known?.readSeq ?? 0),
      });
    }
  }

  put(room: Room): void {
    this.#rooms.set(room.id, room);
  }

  unread(roomId: number): number {
    const room = this.#rooms.get(roomId);
    return room === undefined ? 0 : Math.max(0, room.lastSeq - room.readSeq);
  }

  unreadExcept(roomId: number): number {
    let count = 0;
    for (const id of this.#rooms.keys()) if (id !== roomId) count += this.unread(id);
    return count;
  }

  markRead(roomId: number, seq: number): void {
    this.#change(roomId, (room) => ({ ...room, readSeq: Math.max(room.readSeq, seq) }));
  }

  /** Follows an event; `ownId` is the account that looks. */
  apply(event: Event, ownId: number): void {
    const { event: what } = event;
    switch (what?.$case) {
      case "message": {
        const { roomId, seq, authorId } = what.value;
        this.#change(roomId, (room) => ({
          ...room,
          lastSeq: Math.max(room.lastSeq, seq),
          // What one wrote oneself is read, when everything before it is.
          readSeq: authorId === ownId && room.readSeq === seq - 1 ? seq : room.readSeq,
        }));
        return;
      }
      case "roomReset":
        if (what.value.room !== undefined) this.put(what.value.room);
        return;
      case "roomRemoved":
        this.#rooms.delete(what.value.roomId);
        return;
      case "roomChanged": {
        const changed = what.value;
        this.#change(changed.id, (room) => ({
          ...room,
          name: changed.name,
          topic: changed.topic,
          visibility: changed.visibility,
        }));
        return;
      }
      case "membershipChanged": {
        const { roomId, memberCount, account, role } = what.value;
        const own = account?.id === ownId && role !== RoomRole.ROOM_ROLE_UNSPECIFIED;
        this.#change(roomId, (room) => ({ ...room, memberCount, role: own ? role : room.role }));
        return;
      }
      case "readMarker":
        this.markRead(what.value.roomId, what.value.seq);
        return;
    }
  }

  #change(roomId: number, change: (room: Room) => Room): void {
    const room = this.#rooms.get(roomId);
    if (room !== undefined) this.#rooms.set(roomId, change(room));
  }
}
