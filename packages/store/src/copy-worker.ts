/** The copy thread: makes copies, hands out their bytes, receives and verifies those of others. */
import { parentPort, workerData } from "node:worker_threads";
import type { CopyHead } from "@parley/node/ports";
import { wholeBuffer } from "./bytes.ts";
import type { ChatEngineModule } from "./chat-file.ts";
import { IncomingCopy } from "./copy-in.ts";
import { makeCopy, OutgoingCopies } from "./copy-out.ts";
import { StorageError, type StorageErrorData } from "./errors.ts";
import type { CloseRequest, WorkerReply, WorkerRequest } from "./worker-link.ts";

export interface CopyWorkerData {
  readonly dbPath: string;
  /** A module that exports ChatMachine and ChatReader; undefined = `@parley/chat`. */
  readonly module: string | undefined;
  /** As `LogEngineOptions.pagesMax`: pages that a copy may have; for tests of a full disk. */
  readonly pagesMax: number | undefined;
}

export type CopyRequest =
  | { readonly kind: "make"; readonly copyId: string; readonly chatFile: string }
  | {
      readonly kind: "read";
      readonly copyId: string;
      readonly offset: number;
      readonly length: number;
    }
  | { readonly kind: "remove"; readonly copyId: string }
  | { readonly kind: "receive"; readonly head: CopyHead }
  | {
      readonly kind: "write";
      readonly offset: number;
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly crc32: number;
    }
  | { readonly kind: "finish"; readonly head: CopyHead }
  | { readonly kind: "discard" }
  | { readonly kind: "give"; readonly head: CopyHead; readonly target: string };

/** What "make" is answered with: a damaged chat file is no failure of the copy's. */
export type MadeCopy =
  | { readonly kind: "made"; readonly head: CopyHead }
  | { readonly kind: "damaged"; readonly error: StorageErrorData };

if (parentPort === null) throw new Error("copy-worker.ts runs as a worker thread");
const port = parentPort;
const { dbPath, module, pagesMax } = workerData as CopyWorkerData;
const engineModule: ChatEngineModule = await import(module ?? "@parley/chat");
const outgoing = new OutgoingCopies(dbPath);
const incoming = new IncomingCopy(dbPath, engineModule);

port.on("message", ({ id, body }: WorkerRequest<CopyRequest | CloseRequest>) => {
  try {
    const value = handle(body);
    reply({ id, value }, value instanceof Uint8Array ? [value.buffer as ArrayBuffer] : []);
  } catch (cause) {
    const error = StorageError.from(cause, dbPath, `a copy's ${body.kind}`);
    // Whatever happens to a copy is no reason for this thread to take no more requests: "invalid" harms nobody else.
    reply({ id, error: { ...error.toData(), kind: "invalid" } });
  }
  if (body.kind === "close") port.close();
});

function handle(body: CopyRequest | CloseRequest): unknown {
  switch (body.kind) {
    case "make":
      return made(body.copyId, body.chatFile);
    case "read":
      return wholeBuffer(outgoing.read(body.copyId, body.offset, body.length));
    case "remove":
      outgoing.remove(body.copyId);
      return undefined;
    case "receive":
      return incoming.begin(body.head);
    case "write":
      incoming.write(body.offset, body.bytes, body.crc32);
      return undefined;
    case "finish":
      incoming.finish(body.head);
      return undefined;
    case "discard":
      incoming.discard();
      return undefined;
    case "give":
      incoming.giveTo(body.head, body.target);
      return undefined;
    case "close":
      outgoing.close();
      incoming.close();
      return undefined;
  }
}

function made(copyId: string, chatFile: string): MadeCopy {
  try {
    return { kind: "made", head: makeCopy(dbPath, chatFile, copyId, engineModule, pagesMax) };
  } catch (cause) {
    if (cause instanceof StorageError && cause.kind === "corrupt") {
      return { kind: "damaged", error: cause.toData() };
    }
    throw cause;
  }
}

function reply(message: WorkerReply, transfer: readonly ArrayBuffer[] = []): void {
  port.postMessage(message, [...transfer]);
}
