// A value that can be watched, in the form that React's `useSyncExternalStore` takes: both functions
// are bound, and a snapshot stays the same object until something of it changes.

export interface Observable<T> {
  /** Calls `listener` after each change. Returns how to stop it. */
  readonly subscribe: (listener: () => void) => () => void;
  readonly getSnapshot: () => T;
}

/** An observable whose owner sets it. */
export class ObservableValue<T extends object> implements Observable<T> {
  readonly #listeners = new Set<() => void>();
  #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    // A function of its own, so that one that subscribes twice is called twice and leaves once.
    const call = () => listener();
    this.#listeners.add(call);
    return () => {
      this.#listeners.delete(call);
    };
  };

  readonly getSnapshot = (): T => this.#value;

  /** Nobody is told of a value whose fields are the same. */
  set(value: T): void {
    if (sameFields(this.#value, value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener();
  }
}

function sameFields(one: object, other: object): boolean {
  const [left, right] = [Object.entries(one), new Map(Object.entries(other))];
  if (left.length !== right.size) return false;
  return left.every(([key, value]) => right.has(key) && Object.is(value, right.get(key)));
}
