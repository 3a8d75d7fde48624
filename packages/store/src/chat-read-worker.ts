/**
 * A read thread over a read-only connection. ChatReader makes each query one short read transaction, so
 * that it sees one state and never keeps the WAL from being checkpointed for long.
 */
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { ChatAnswer, ChatQuery } from "@parley/chat";
import { packAnswer } from "./answer-codec.ts";
import { StorageError } from "./errors.ts";
import type { CloseRequest, WorkerRequest } from "./worker-link.ts";

export interface ReadWorkerData {
  /** A module that exports ChatMachine and ChatReader; undefined = `@parley/chat`. */
  readonly module: string | undefined;
}

export type ReadThreadRequest =
  | { readonly kind: "open"; readonly path: string }
  | { readonly kind: "read"; readonly query: ChatQuery };

interface ReaderModule {
  readonly ChatReader: new (db: DatabaseSync) => { read(query: ChatQuery): ChatAnswer };
}

interface Opened {
  readonly db: DatabaseSync;
  readonly reader: InstanceType<ReaderModule["ChatReader"]>;
}

const CACHE_KIB = 16_384;
const BUSY_TIMEOUT_MS = 5_000;

if (parentPort === null) throw new Error("chat-read-worker.ts runs as a worker thread");
const port = parentPort;
const { module } = workerData as ReadWorkerData;
// Loaded while the apply thread still opens the file.
const { ChatReader }: ReaderModule = await import(module ?? "@parley/chat");

let path = "the chat file";
let opened: Opened | undefined;

port.on("message", ({ id, body }: WorkerRequest<ReadThreadRequest | CloseRequest>) => {
  try {
    handle(id, body);
  } catch (cause) {
    port.postMessage({ id, error: errorOf(cause).toData() });
  }
});

function handle(id: number, body: ReadThreadRequest | CloseRequest): void {
  switch (body.kind) {
    case "open": {
      opened?.db.close();
      opened = undefined;
      path = body.path;
      const db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
      db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
      opened = { db, reader: new ChatReader(db) };
      port.postMessage({ id });
      return;
    }
    case "read": {
      if (opened === undefined) throw new StorageError("closed", path, `${path} is not open`);
      const { answer, transfer } = packAnswer(opened.reader.read(body.query));
      port.postMessage({ id, value: answer }, [...transfer]);
      return;
    }
    case "close":
      opened?.db.close();
      opened = undefined;
      port.postMessage({ id });
      port.close();
      return;
  }
}

/**
 * What SQLite says of the file is final. A defect that one query met must not take the node down.
 */
function errorOf(cause: unknown): StorageError {
  const error = StorageError.from(cause, path, "reading the chat file");
  return error.kind === "defect" ? new StorageError("invalid", path, error.message) : error;
}
