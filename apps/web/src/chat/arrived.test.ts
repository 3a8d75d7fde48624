// What was uploaded outlives its page, each file for its own day, and is one page's at a time.
import { LIMITS } from "@parley/client/browser";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type ArrivedFile, arrivedStore, loadedPage } from "./arrived.ts";

/** As local storage: its keys are its own properties. */
class StubStorage {
  [key: string]: unknown;

  getItem(key: string): string | null {
    return Object.hasOwn(this, key) ? String(this[key]) : null;
  }

  setItem(key: string, value: string): void {
    this[key] = value;
  }

  removeItem(key: string): void {
    delete this[key];
  }
}

/** Web Locks as far as they are used here: who holds a name, and who waits for it. */
class StubLocks {
  readonly #tails = new Map<string, Promise<void>>();

  /** Of a tab, until it is closed. */
  tab() {
    const closing = Promise.withResolvers<void>();
    const request = async (
      name: string,
      ...rest: [() => unknown] | [LockOptions, () => unknown]
    ) => {
      const [options, use] = rest.length === 1 ? [{} as LockOptions, rest[0]] : rest;
      const before = this.#tails.get(name) ?? Promise.resolve();
      const over = Promise.withResolvers<void>();
      this.#tails.set(name, over.promise);
      try {
        const { signal } = options;
        const aborted = new Promise((_, reject) =>
          signal?.addEventListener("abort", () => reject(signal.reason)),
        );
        await Promise.race([before, aborted]);
        await Promise.race([use(), closing.promise]);
      } finally {
        void before.then(over.resolve);
      }
    };
    const page = loadedPage({ request } as unknown as LockManager);
    return { page, close: closing.resolve };
  }
}

const HOUR_MS = 60 * 60 * 1000;

function file(id: string, atMs = Date.now()): ArrivedFile {
  return { clientFileId: id, name: `${id}.txt`, size: 1, atMs };
}

/** What a page is given that opens room 7, a while later. */
function offeredTo(page: ReturnType<typeof loadedPage>) {
  const store = arrivedStore("me", 7, 0, page);
  const ids: string[] = [];
  store.load((files) => ids.push(...files.map(({ clientFileId }) => clientFileId)));
  return { store, ids };
}

const passed = () => vi.advanceTimersByTimeAsync(10);

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("localStorage", new StubStorage());
  // With the fake timers.
  vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(new DOMException("", "TimeoutError")), ms);
    return abort.signal;
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

test("a page that is reloaded has them when the one before is gone, and nobody else", async () => {
  const locks = new StubLocks();
  const [first, next, other] = [locks.tab(), locks.tab(), locks.tab()];
  offeredTo(first.page).store.save([file("a")]);
  const [reloaded, beside] = [offeredTo(next.page), offeredTo(other.page)];
  await passed();
  expect([reloaded.ids, beside.ids]).toEqual([[], []]);
  first.close();
  await passed();
  expect([reloaded.ids, beside.ids]).toEqual([["a"], []]);
});

test("what another tab has is not offered, not even when that is closed later; and is not lost by what is chosen here", async () => {
  const locks = new StubLocks();
  const [first, second] = [locks.tab(), locks.tab()];
  offeredTo(first.page).store.save([file("a")]);
  const { store, ids } = offeredTo(second.page);
  store.save([file("b")]);
  await vi.advanceTimersByTimeAsync(10_000);
  first.close();
  await passed();
  expect(ids).toEqual([]);
  second.close();
  const third = offeredTo(locks.tab().page);
  await passed();
  expect(third.ids.toSorted()).toEqual(["a", "b"]);
});

test("each is offered for its own day, whatever came after it; without locks to whoever looks first", () => {
  const plain = () => loadedPage(undefined);
  offeredTo(plain()).store.save([file("old", Date.now() - 20 * HOUR_MS), file("new")]);
  vi.setSystemTime(Date.now() + 5 * HOUR_MS);
  expect(offeredTo(plain()).ids).toEqual(["new"]);
  expect(offeredTo(plain()).ids).toEqual([]);
  expect(LIMITS.unsentFileTtlMs).toBe(24 * HOUR_MS);
});
