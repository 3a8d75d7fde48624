// What the chat knows of its rooms, kept current by events. Pure.
import { type Event, type Room, RoomRole } from "@parley/protocol";
import { findRoom } from "../cli/rooms.ts";

export class RoomBook {
  readonly #rooms = new Map<number, Room>();
  /** Unread messages of others, by room. */
  readonly #unread = new Map<number, number>();

  get rooms(): readonly Room[] {
    return [...this.#rooms.values()];
  }

  get(roomId: number): Room | undefined {
    return this.#rooms.get(roomId);
  }

  find(reference: string): Room | undefined {
    return findRoom(this.rooms, reference);
  }

  /** Replaces all; positions that events have moved further stay. `unread`: as the server counts. */
  load(rooms: readonly Room[], unread: ReadonlyMap<number, number>): void {
    const before = new Map(this.#rooms);
    const unreadBefore = new Map(this.#unread);
    this.#rooms.clear();
    this.#unread.clear();
    for (const room of rooms) {
      const known = before.get(room.id);
      const isBehind = known !== undefined && known.lastSeq > room.lastSeq;
      const count = isBehind ? unreadBefore.get(room.id) : unread.get(room.id);
      this.#unread.set(room.id, count ?? 0);
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
    return this.#unread.get(roomId) ?? 0;
  }

  unreadExcept(roomId: number): number {
    let count = 0;
    for (const id of this.#rooms.keys()) if (id !== roomId) count += this.unread(id);
    return count;
  }

  markRead(roomId: number, seq: number): void {
    const room = this.#rooms.get(roomId);
    if (room !== undefined) {
      this.#unread.set(roomId, Math.min(this.unread(roomId), Math.max(0, room.lastSeq - seq)));
    }
    this.#change(roomId, (room) => ({ ...room, readSeq: Math.max(room.readSeq, seq) }));
  }

  /** Follows an event; `ownId` is the account that looks. */
  apply(event: Event, ownId: number): void {
    const { event: what } = event;
    switch (what?.$case) {
      case "message": {
        const { roomId, seq, authorId } = what.value;
        const room = this.#rooms.get(roomId);
        // What one wrote oneself is never unread; what the list of rooms has counted is not new.
        if (room !== undefined && authorId !== ownId && seq > room.lastSeq) {
          this.#unread.set(roomId, this.unread(roomId) + 1);
        }
        this.#change(roomId, (known) => ({ ...known, lastSeq: Math.max(known.lastSeq, seq) }));
        return;
      }
      case "messageChanged": {
        const { roomId, seq, authorId, deleted } = what.value;
        const isUnread = seq > (this.#rooms.get(roomId)?.readSeq ?? seq) && authorId !== ownId;
        if (deleted && isUnread) this.#unread.set(roomId, Math.max(0, this.unread(roomId) - 1));
        return;
      }
      case "roomReset":
        if (what.value.room !== undefined) this.put(what.value.room);
        return;
      case "roomRemoved":
        this.#rooms.delete(what.value.roomId);
        this.#unread.delete(what.value.roomId);
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
