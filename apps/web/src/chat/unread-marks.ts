// What the person marked as unread, to come back to. How far an account has read only ever rises in the cluster (a device that lags must not
// take it back), so a mark is this browser's own: it is kept beside the drafts and other devices do not see it.
/** Room ids to the first message that is to be read again. */
export type MarkedRooms = Readonly<Record<number, number>>;

const ROOMS_MAX = 200;

export interface MarkStore {
  /** What was kept; undefined = nothing, or nothing that can be read. */
  readonly load: () => unknown;
  readonly save: (rooms: MarkedRooms) => void;
  /** Calls back when another tab saved. Returns how to stop it. */
  readonly onSavedElsewhere: (listener: () => void) => () => void;
}

export class UnreadMarks {
  readonly #store: MarkStore;
  readonly #listeners = new Set<() => void>();
  readonly #stop: () => void;
  #rooms: MarkedRooms;

  constructor(store: MarkStore) {
    this.#store = store;
    this.#rooms = checked(store.load());
    this.#stop = store.onSavedElsewhere(() => this.#show(checked(store.load())));
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  readonly getSnapshot = (): MarkedRooms => this.#rooms;

  /** 0 = it is not marked. */
  of(roomId: number): number {
    return this.#rooms[roomId] ?? 0;
  }

  mark(roomId: number, seq: number): void {
    this.#set({ ...this.#rooms, [roomId]: seq });
  }

  clear(roomId: number): void {
    if (this.of(roomId) === 0) return;
    const { [roomId]: _, ...others } = this.#rooms;
    this.#set(others);
  }

  clearAll(): void {
    this.#set({});
  }

  close(): void {
    this.#stop();
    this.#listeners.clear();
  }

  #set(rooms: MarkedRooms): void {
    const kept = checked(rooms);
    this.#store.save(kept);
    this.#show(kept);
  }

  #show(rooms: MarkedRooms): void {
    this.#rooms = rooms;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** What comes from storage may be anything. */
function checked(value: unknown): MarkedRooms {
  if (typeof value !== "object" || value === null) return {};
  const isId = (number: unknown) => Number.isSafeInteger(number) && Number(number) > 0;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([roomId, seq]) => isId(Number(roomId)) && isId(seq))
      .slice(0, ROOMS_MAX),
  );
}
