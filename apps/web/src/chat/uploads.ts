// Files on their way to a message that is being written: each is uploaded as soon as it is chosen, and again on demand when that failed.
import {
  fileNameOf,
  LIMITS,
  newSecret,
  type OutboxFile,
  type ParleyClient,
  ParleyError,
} from "@parley/client/browser";
import type { ArrivedFile, ArrivedStore } from "./arrived.ts";

export interface Upload {
  readonly id: string;
  readonly name: string;
  /** Bytes, and how many of them have arrived. */
  readonly size: number;
  readonly done: number;
  /** When it was chosen, milliseconds since the Unix epoch. */
  readonly atMs: number;
  /** Set once it is whole. */
  readonly file: OutboxFile | undefined;
  /** Why it broke off; undefined = it has not. */
  readonly failure: unknown;
}

interface Running {
  readonly source: File;
  readonly abort: AbortController;
}

/** Made for `useSyncExternalStore`. */
export class Uploads {
  readonly #client: ParleyClient;
  readonly #store: ArrivedStore;
  readonly #listeners = new Set<() => void>();
  readonly #running = new Map<string, Running>();
  #uploads: readonly Upload[] = [];

  constructor(client: ParleyClient, store: ArrivedStore) {
    this.#client = client;
    this.#store = store;
    store.load((left) => {
      const taken = left.map(({ atMs, ...file }) => {
        const { clientFileId: id, name, size } = file;
        return { id, name, size, done: size, atMs, file, failure: undefined };
      });
      // What was chosen here meanwhile has its place.
      const room = LIMITS.filesPerMessageMax - this.#uploads.length;
      this.#set([...taken.slice(0, room), ...this.#uploads]);
    });
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly current = (): readonly Upload[] => this.#uploads;

  /** Whether something would be lost with the page. */
  get isUnderWay(): boolean {
    return this.#uploads.some(({ file }) => file === undefined);
  }

  /** Throws a ParleyError, and takes none, when there would be more than a message has room for. */
  add(sources: readonly File[]): void {
    if (this.#uploads.length + sources.length > LIMITS.filesPerMessageMax) {
      const { filesPerMessageMax: limit } = LIMITS;
      throw new ParleyError("TOO_LARGE", "too many files", { subject: "files", limit });
    }
    for (const source of sources) {
      // Nobody else has it. Browsers make UUIDs over TLS only.
      const id = newSecret();
      const { size } = source;
      const name = fileNameOf(source.name);
      this.#running.set(id, { source, abort: new AbortController() });
      this.#set([
        ...this.#uploads,
        { id, name, size, done: 0, atMs: Date.now(), file: undefined, failure: undefined },
      ]);
      void this.#upload(id);
    }
  }

  retry(id: string): void {
    this.#change(id, { failure: undefined });
    void this.#upload(id);
  }

  remove(id: string): void {
    this.#running.get(id)?.abort.abort();
    this.#running.delete(id);
    this.#set(this.#uploads.filter((upload) => upload.id !== id));
  }

  /** They belong to a message now. */
  clear(files: readonly OutboxFile[]): void {
    for (const { clientFileId } of files) this.remove(clientFileId);
  }

  async #upload(id: string): Promise<void> {
    const running = this.#running.get(id);
    if (running === undefined) return;
    const { source, abort } = running;
    try {
      // Before it is read: nobody wants a film in memory to be told that it is too large.
      if (source.size > LIMITS.fileBytesMax) {
        const { fileBytesMax: limit } = LIMITS;
        throw new ParleyError("TOO_LARGE", "the file is too large", { subject: "file", limit });
      }
      const bytes = new Uint8Array(await source.arrayBuffer());
      const { previewOf } = await import("./pictures.ts");
      const preview = await previewOf(bytes);
      const wanted = { clientFileId: id, name: source.name, bytes, preview };
      const { uploadFile } = await import("./transfers.ts");
      const file = await uploadFile(this.#client, wanted, {
        signal: abort.signal,
        onProgress: ({ done }) => this.#change(id, { done }),
      });
      this.#change(id, { file });
    } catch (failure) {
      this.#change(id, { failure });
    }
  }

  #change(id: string, change: Partial<Upload>): void {
    this.#set(
      this.#uploads.map((upload) => (upload.id === id ? { ...upload, ...change } : upload)),
    );
  }

  #set(uploads: readonly Upload[]): void {
    const before = arrived(this.#uploads);
    this.#uploads = uploads;
    const now = arrived(uploads);
    if (now.length !== before.length) this.#store.save(now);
    for (const listener of this.#listeners) listener();
  }
}

function arrived(uploads: readonly Upload[]): readonly ArrivedFile[] {
  return uploads.flatMap(({ file, atMs }) => (file === undefined ? [] : [{ ...file, atMs }]));
}
