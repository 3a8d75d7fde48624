// Files that were uploaded for a message in the making outlive the page that chose them, as its text does: whoever opens the room next has them.
// One page at a time: each keeps its own, under an id whose Web Lock it holds while it is there, and what it leaves is taken once that is free.
import { LIMITS, newSecret, type OutboxFile } from "@parley/client/browser";
import { draftKey, keptKeys, keptValue, write } from "./saved.ts";

export interface ArrivedFile extends OutboxFile {
  /** When its upload began: servers forget it a day later. Milliseconds since the Unix epoch. */
  readonly atMs: number;
}

export interface ArrivedStore {
  /** Hands on, now or in a moment, what pages have left that are gone. */
  load(take: (files: readonly ArrivedFile[]) => void): void;
  save(files: readonly ArrivedFile[]): void;
}

interface LoadedPage {
  readonly id: string;
  /** Undefined where browsers have none, over plain HTTP: then every page takes what it finds. */
  readonly locks: LockManager | undefined;
}

/** A page that is reloaded goes only when the next one is there already. */
const GOING_MS = 2_000;

let ownPage: LoadedPage | undefined;

/** Others tell by the lock that it is there. */
export function loadedPage(locks: LockManager | undefined): LoadedPage {
  const id = newSecret();
  locks?.request(lockOf(id), () => new Promise(() => {})).catch(() => {});
  return { id, locks };
}

function lockOf(pageId: string): string {
  return `parley:page:${pageId}`;
}

function thisPage(): LoadedPage {
  ownPage ??= loadedPage(globalThis.navigator?.locks);
  return ownPage;
}

/** `scope`: see `scopeOf`. */
export function arrivedStore(
  scope: string,
  roomId: number,
  threadRootSeq: number,
  page: LoadedPage = thisPage(),
): ArrivedStore {
  const prefix = `${draftKey(scope, roomId, threadRootSeq)}:files:`;
  return {
    load: (take) => {
      for (const key of keptKeys(prefix)) {
        const claim = () => {
          const files = freshFiles(keptValue(key));
          write(key, undefined);
          if (files.length > 0) take(files);
        };
        const { id, locks } = page;
        const ownerId = key.slice(prefix.length);
        if (locks === undefined || ownerId === id) claim();
        else {
          const signal = AbortSignal.timeout(GOING_MS);
          locks.request(lockOf(ownerId), { signal }, claim).catch((cause: unknown) => {
            // Locks that the browser's settings forbid keep nobody out.
            if (cause instanceof Error && cause.name === "SecurityError") claim();
          });
        }
      }
    },
    save: (files) => {
      write(`${prefix}${page.id}`, files.length === 0 ? undefined : JSON.stringify(files));
    },
  };
}

function freshFiles(kept: unknown): readonly ArrivedFile[] {
  const isFresh = ({ atMs }: ArrivedFile) => Date.now() - atMs < LIMITS.unsentFileTtlMs;
  return Array.isArray(kept) ? kept.filter(isFile).filter(isFresh) : [];
}

function isFile(value: unknown): value is ArrivedFile {
  const { clientFileId, name, size, atMs } = (value ?? {}) as Partial<ArrivedFile>;
  return (
    typeof clientFileId === "string" &&
    typeof name === "string" &&
    typeof size === "number" &&
    typeof atMs === "number"
  );
}
