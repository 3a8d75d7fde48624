// Files that are chosen: on their way at once, again on demand, given up, and also where the page came without TLS.
import { sha256 } from "@noble/hashes/sha2.js";
import { LIMITS, type ParleyClient, ParleyError } from "@parley/client/browser";
import { afterEach, expect, test, vi } from "vitest";
import type { ArrivedFile, ArrivedStore } from "./arrived.ts";
import { Uploads } from "./uploads.ts";

interface Asked {
  readonly clientFileId: string;
  readonly offset: number;
  readonly data: Uint8Array;
  readonly sha256: Uint8Array;
}

/** Takes what it is given, or answers as `refuse` says. */
function server(refuse: () => ParleyError | undefined = () => undefined) {
  const asked: Asked[] = [];
  const call = async (_name: string, fields: Asked) => {
    asked.push(fields);
    const refusal = refuse();
    if (refusal !== undefined) throw refusal;
    return { received: fields.offset + fields.data.length };
  };
  let kept: readonly ArrivedFile[] = [];
  const store: ArrivedStore = {
    load: (take) => take(kept),
    save: (files) => {
      kept = files;
    },
  };
  /** As a page that is loaded now sees them. */
  const load = () => new Uploads({ call } as unknown as ParleyClient, store);
  return { asked, load, uploads: load() };
}

const bytes = Uint8Array.from({ length: LIMITS.fileChunkBytesMax + 9 }, (_, at) => at & 0xff);
const settled = (uploads: Uploads) =>
  vi.waitFor(() => {
    const isSettled = uploads.current().every(({ file, failure }) => file ?? failure);
    if (!isSettled) throw new Error("still on the way");
  });

afterEach(() => vi.unstubAllGlobals());

test("each goes at once, in pieces, under an id of its own; without crypto.randomUUID, as over plain HTTP", async () => {
  vi.stubGlobal("crypto", { getRandomValues: crypto.getRandomValues.bind(crypto) });
  const { asked, uploads } = server();
  uploads.add([new File([bytes], "a.bin"), new File(["b"], "b.txt")]);
  await settled(uploads);
  const [first, second] = uploads.current();
  expect(first).toMatchObject({ name: "a.bin", size: bytes.length, done: bytes.length });
  expect(second?.file).toMatchObject({ name: "b.txt", size: 1 });
  expect(first?.id).not.toBe(second?.id);
  const ofFirst = asked.filter(({ clientFileId }) => clientFileId === first?.id);
  expect(Buffer.concat(ofFirst.map(({ data }) => data)).equals(bytes)).toBe(true);
  expect(ofFirst[0]?.sha256).toEqual(sha256(bytes));
  uploads.clear([first?.file, second?.file].filter((file) => file !== undefined));
  expect(uploads.current()).toEqual([]);
});

test("what was refused says so, and goes again on demand", async () => {
  let isFull = true;
  const { uploads } = server(() =>
    isFull ? new ParleyError("LIMIT_REACHED", "no room") : undefined,
  );
  uploads.add([new File(["a"], "a.txt")]);
  await settled(uploads);
  const [upload] = uploads.current();
  expect(upload?.failure).toMatchObject({ reason: "LIMIT_REACHED" });
  isFull = false;
  uploads.retry(upload?.id ?? "");
  expect(uploads.current()[0]?.failure).toBeUndefined();
  await settled(uploads);
  expect(uploads.current()[0]?.file).toMatchObject({ name: "a.txt" });
});

test("no more than a message has room for, and none that is too large or empty", async () => {
  const { asked, uploads } = server();
  const many = Array.from({ length: LIMITS.filesPerMessageMax + 1 }, () => new File(["a"], "a"));
  expect(() => uploads.add(many)).toThrow("too many files");
  expect(uploads.current()).toEqual([]);
  uploads.add([new File([new Uint8Array(LIMITS.fileBytesMax + 1)], "film"), new File([], "empty")]);
  await settled(uploads);
  expect(uploads.current().map(({ failure }) => (failure as ParleyError).reason)).toEqual([
    "TOO_LARGE",
    "INVALID_ARGUMENT",
  ]);
  expect(asked).toEqual([]);
});

test("what has arrived outlives the page; what is on its way would be lost with it, and what was sent or left out is gone", async () => {
  const { load, uploads } = server(() => undefined);
  uploads.add([new File(["a"], "a.txt"), new File([new Uint8Array(0)], "empty")]);
  expect(uploads.isUnderWay).toBe(true);
  await settled(uploads);
  const again = load();
  expect(again.current()).toMatchObject([{ name: "a.txt", size: 1, done: 1, failure: undefined }]);
  expect(again.isUnderWay).toBe(false);
  const [file] = again.current();
  again.add([new File(["b"], "b.txt")]);
  await settled(again);
  again.clear(file?.file === undefined ? [] : [file.file]);
  expect(load().current()).toMatchObject([{ name: "b.txt" }]);
  again.remove(again.current()[0]?.id ?? "");
  expect(load().current()).toEqual([]);
});

test("what another page has left comes later, and takes no place of what was chosen meanwhile", async () => {
  let take: (files: readonly ArrivedFile[]) => void = () => {};
  const store: ArrivedStore = {
    load: (taker) => {
      take = taker;
    },
    save: () => {},
  };
  const call = async (_name: string, { offset, data }: Asked) => ({
    received: offset + data.length,
  });
  const uploads = new Uploads({ call } as unknown as ParleyClient, store);
  const chosen = Array.from(
    { length: LIMITS.filesPerMessageMax - 1 },
    (_, at) => new File(["a"], `mine ${at}`),
  );
  uploads.add(chosen);
  const left = (name: string) => ({ clientFileId: name, name, size: 1, atMs: Date.now() });
  take([left("left 1"), left("left 2")]);
  expect(uploads.current().map(({ name }) => name)).toEqual([
    "left 1",
    ...chosen.map(({ name }) => name),
  ]);
  await settled(uploads);
});
