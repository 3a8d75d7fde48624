// Merging many sorted sources by revision, with a binary heap: a subscriber may be in thousands of
// rooms, and a page takes only the first few events of them all.

/** One event to come, not yet encoded. */
export interface Pending {
  readonly revision: number;
  /** Order within a revision. */
  readonly rank: number;
  encode(): Uint8Array;
}

/** Gives its events in ascending revision; undefined at the end. */
export type Source = () => Pending | undefined;

interface Head {
  readonly pending: Pending;
  readonly source: Source;
  readonly order: number;
}

function comesBefore(x: Head, y: Head): boolean {
  if (x.pending.revision !== y.pending.revision) return x.pending.revision < y.pending.revision;
  if (x.pending.rank !== y.pending.rank) return x.pending.rank < y.pending.rank;
  return x.order < y.order;
}

/** All events of all sources in ascending (revision, rank, order of sources). Lazy. */
export function* merge(sources: readonly Source[]): Generator<Pending, void, undefined> {
  const heap: Head[] = [];
  for (const [order, source] of sources.entries()) {
    const pending = source();
    if (pending === undefined) continue;
    heap.push({ pending, source, order });
    siftUp(heap, heap.length - 1);
  }
  for (let head = heap[0]; head !== undefined; head = heap[0]) {
    yield head.pending;
    const next = head.source();
    if (next !== undefined) {
      heap[0] = { pending: next, source: head.source, order: head.order };
    } else {
      const last = heap.pop();
      if (last === undefined || heap.length === 0) continue;
      heap[0] = last;
    }
    siftDown(heap);
  }
}

function siftUp(heap: Head[], from: number): void {
  let at = from;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!swapIf(heap, at, parent)) return;
    at = parent;
  }
}

function siftDown(heap: Head[]): void {
  let at = 0;
  for (;;) {
    const left = 2 * at + 1;
    if (left >= heap.length) return;
    const [l, r] = [heap[left], heap[left + 1]];
    const child = l !== undefined && r !== undefined && comesBefore(r, l) ? left + 1 : left;
    if (!swapIf(heap, child, at)) return;
    at = child;
  }
}

/** Puts `child` in the place of `parent` when it comes first. */
function swapIf(heap: Head[], child: number, parent: number): boolean {
  const [c, p] = [heap[child], heap[parent]];
  if (c === undefined || p === undefined || !comesBefore(c, p)) return false;
  heap[child] = p;
  heap[parent] = c;
  return true;
}
