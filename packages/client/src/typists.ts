// Who is writing where, as others' clients have said: for the line under a list of messages.
import type { ParleyClient } from "./client.ts";
import { platformClock } from "./platform.ts";
import type { Clock, Timer } from "./ports.ts";
import { TIMING } from "./timing.ts";
import type { TypingNews } from "./typing-signals.ts";

export interface RoomTypist {
  readonly accountId: number;
  readonly username: string;
}

/** "ada is typing…"; "" of nobody. */
export function typingText(names: readonly string[]): string {
  const [one = "", other = ""] = names;
  if (names.length === 0) return "";
  if (names.length === 1) return `${one} is typing…`;
  return names.length === 2 ? `${one} and ${other} are typing…` : "Several people are typing…";
}

/** In a room; nodes tell of fewer (P11). */
const TYPISTS_MAX = 20;
const ROOMS_MAX = 1_000;
const NOBODY: readonly RoomTypist[] = [];

interface Room {
  /** Until when each is shown (monotonic), the first to begin first. */
  readonly untilMs: Map<number, number>;
  /** The same object until it changes. */
  typists: readonly RoomTypist[];
}

/**
 * For React: `useSyncExternalStore(typists.subscribe, () => typists.of(roomId))`. Whoever is not heard of again, or sends, is gone.
 * Watches the client until `close`.
 */
export class Typists {
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  readonly #rooms = new Map<number, Room>();
  readonly #stop: () => void;
  #timer: Timer | undefined;

  constructor(client: ParleyClient, clock: Clock = platformClock) {
    this.#clock = clock;
    this.#stop = client.onTyping((news) => this.#take(news));
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    const call = () => listener();
    this.#listeners.add(call);
    return () => {
      this.#listeners.delete(call);
    };
  };

  /** In the order in which they began. */
  of(roomId: number): readonly RoomTypist[] {
    return this.#rooms.get(roomId)?.typists ?? NOBODY;
  }

  close(): void {
    this.#stop();
    this.#timer?.cancel();
    this.#listeners.clear();
  }

  #take(news: TypingNews): void {
    if (news.kind === "sent") {
      if (this.#remove(news.roomId, (accountId) => accountId === news.accountId)) this.#tell();
      return;
    }
    const { roomId, accountId, username } = news;
    const room = this.#rooms.get(roomId) ?? { untilMs: new Map(), typists: NOBODY };
    const isNew = !room.untilMs.has(accountId);
    if (isNew && (room.untilMs.size >= TYPISTS_MAX || this.#rooms.size >= ROOMS_MAX)) return;
    room.untilMs.set(accountId, this.#clock.monotonicMs() + TIMING.typingShownMs);
    this.#rooms.set(roomId, room);
    this.#timer ??= this.#clock.after(TIMING.typingShownMs, () => this.#expire());
    if (!isNew) return;
    room.typists = [...room.typists, { accountId, username }];
    this.#tell();
  }

  /** Returns whether there was such a one. */
  #remove(roomId: number, isOver: (accountId: number, untilMs: number) => boolean): boolean {
    const room = this.#rooms.get(roomId);
    if (room === undefined) return false;
    const before = room.untilMs.size;
    for (const [accountId, untilMs] of room.untilMs) {
      if (isOver(accountId, untilMs)) room.untilMs.delete(accountId);
    }
    if (room.untilMs.size === before) return false;
    room.typists = room.typists.filter(({ accountId }) => room.untilMs.has(accountId));
    if (room.untilMs.size === 0) this.#rooms.delete(roomId);
    return true;
  }

  #expire(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.monotonicMs();
    let isChanged = false;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const roomId of [...this.#rooms.keys()]) {
      isChanged = this.#remove(roomId, (_accountId, untilMs) => untilMs <= nowMs) || isChanged;
      for (const untilMs of this.#rooms.get(roomId)?.untilMs.values() ?? []) {
        nextMs = Math.min(nextMs, untilMs);
      }
    }
    if (nextMs < Number.POSITIVE_INFINITY) {
      this.#timer = this.#clock.after(nextMs - nowMs, () => this.#expire());
    }
    if (isChanged) this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
