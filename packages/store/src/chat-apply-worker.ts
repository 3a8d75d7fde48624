/** The apply thread: the only one that writes the chat file. Requests are served in order. */
import { parentPort, workerData } from "node:worker_threads";
import type { ChatStoreState, Membership } from "@parley/node/ports";
import { packBatch, unpackApplyRequest } from "./apply-codec.ts";
import { type ChatEngineModule, ChatFile, ChatFileDamage } from "./chat-file.ts";
import { StorageError } from "./errors.ts";
import type { CloseRequest, WorkerReply, WorkerRequest } from "./worker-link.ts";

export interface ChatWorkerData {
  /** A module that exports ChatMachine and ChatReader; undefined = `@parley/chat`. */
  readonly module: string | undefined;
}

export type ApplyThreadRequest =
  | {
      readonly kind: "open";
      readonly path: string;
      readonly initial: Membership | undefined;
      readonly logBeginsAfter: number;
      readonly verifyBytesMax: number;
    }
  | { readonly kind: "apply"; readonly packed: Uint8Array<ArrayBuffer> }
  | { readonly kind: "state-hash"; readonly atIndex: number }
  | { readonly kind: "checkpoint" }
  | { readonly kind: "being-copied"; readonly isBeingCopied: boolean };

export type OpenOutcome =
  | { readonly kind: "opened"; readonly state: ChatStoreState; readonly durableApplied: number }
  | { readonly kind: "damaged"; readonly found: string };

export interface AppliedMessage {
  readonly packed: Uint8Array<ArrayBuffer>;
  readonly durableApplied: number;
}

/** How often, in batches, the WAL is looked at. */
const CHECKPOINT_LOOK_BATCHES = 8;

if (parentPort === null) throw new Error("chat-apply-worker.ts runs as a worker thread");
const port = parentPort;
const { module } = workerData as ChatWorkerData;
const engineModule: ChatEngineModule = await import(module ?? "@parley/chat");

let file: ChatFile | undefined;
let failure: StorageError | undefined;
/** Transactions since the file was opened. */
let batches = 0;
let isIndexing = false;

port.on("message", ({ id, body }: WorkerRequest<ApplyThreadRequest | CloseRequest>) => {
  const path = body.kind === "open" ? body.path : (file?.path ?? "the chat file");
  try {
    if (failure !== undefined && body.kind !== "close") throw failure;
    handle(id, body);
  } catch (cause) {
    failure ??= StorageError.from(cause, path, `the chat file's ${body.kind}`);
    reply({ id, error: failure.toData() });
  }
});

function handle(id: number, body: ApplyThreadRequest | CloseRequest): void {
  switch (body.kind) {
    case "open":
      reply({ id, value: open(body) });
      return;
    case "apply": {
      const { entries, confState } = unpackApplyRequest(body.packed);
      const packed = packBatch(opened().apply(entries, confState));
      const value: AppliedMessage = { packed, durableApplied: opened().durableApplied };
      reply({ id, value }, [packed.buffer]);
      // After the answer, so that only what comes next waits for it.
      written(opened());
      return;
    }
    case "state-hash":
      reply({ id, value: opened().stateHash(body.atIndex) });
      return;
    case "checkpoint":
      reply({ id, value: opened().checkpoint() });
      return;
    case "being-copied":
      opened().isBeingCopied = body.isBeingCopied;
      reply({ id });
      return;
    case "close":
      file?.close();
      file = undefined;
      reply({ id });
      port.close();
      return;
  }
}

function written(target: ChatFile): void {
  batches += 1;
  if (batches % CHECKPOINT_LOOK_BATCHES === 0 && target.checkpointDue) target.checkpoint();
  if (!target.indexingDue || isIndexing) return;
  isIndexing = true;
  setImmediate(indexSlice);
}

/** The full-text index, a slice at a time, with what has been asked meanwhile in between. */
function indexSlice(): void {
  isIndexing = false;
  if (file === undefined || failure !== undefined || !file.indexingDue) return;
  try {
    file.index();
    written(file);
  } catch (cause) {
    // Whatever is asked next is told.
    failure = StorageError.from(cause, file.path, "indexing the chat file");
  }
}

function open(request: ApplyThreadRequest & { readonly kind: "open" }): OpenOutcome {
  const { path, initial, logBeginsAfter, verifyBytesMax } = request;
  file?.close();
  file = undefined;
  try {
    file = ChatFile.open(path, engineModule, initial, logBeginsAfter, verifyBytesMax);
  } catch (cause) {
    if (cause instanceof ChatFileDamage) return { kind: "damaged", found: cause.message };
    throw cause;
  }
  // A file of a program that had no index gets one.
  written(file);
  const state = { admission: file.admissionSnapshot(), confState: file.confState() };
  return { kind: "opened", state, durableApplied: file.durableApplied };
}

function opened(): ChatFile {
  if (file === undefined) throw new StorageError("closed", "", "the chat file is not open");
  return file;
}

function reply(message: WorkerReply, transfer: readonly ArrayBuffer[] = []): void {
  port.postMessage(message, [...transfer]);
}
