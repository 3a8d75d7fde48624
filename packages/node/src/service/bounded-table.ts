// A table with a bound on its size: when it is full, what was least recently used is forgotten (P11).

export class BoundedTable<Key, Value> {
  readonly #entries = new Map<Key, Value>();
  readonly #sizeMax: number;

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: Key): Value | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    // A Map iterates in order of insertion: putting it in again makes it the newest.
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  set(key: Key, value: Value): void {
    this.#entries.delete(key);
    if (this.#entries.size >= this.#sizeMax) {
      const oldest = this.#entries.keys().next();
      if (oldest.done !== true) this.#entries.delete(oldest.value);
    }
    this.#entries.set(key, value);
  }

  /** All of them, and the table is empty. */
  takeAll(): [Key, Value][] {
    const entries = [...this.#entries];
    this.#entries.clear();
    return entries;
  }

  delete(key: Key): void {
    this.#entries.delete(key);
  }
}
