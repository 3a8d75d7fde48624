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
  readonly path: string;
  /** A module that exports ChatMachine and ChatReader; undefined = `@parley/chat`. */
  readonly module: string | undefined;
}

export interface ReadRequest {
  readonly kind: "read";
  readonly query: ChatQuery;
}

interface ReaderModule {
  readonly ChatReader: new (db: DatabaseSync) => { read(query: ChatQuery): ChatAnswer };
}

const CACHE_KIB = 16_384;
const BUSY_TIMEOUT_MS = 5_000;

if (parentPort === null) throw new Error("chat-read-worker.ts runs as a worker thread");
const port = parentPort;
const { path, module } = workerData as ReadWorkerData;
const { ChatReader }: ReaderModule = await import(module ?? "@parley/chat");

const db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
const reader = new ChatReader(db);

port.on("message", ({ id, body }: WorkerRequest<ReadRequest | CloseRequest>) => {
  try {
    if (body.kind === "close") {
      db.close();
      port.postMessage({ id });
      port.close();
      return;
    }
    const { answer, transfer } = packAnswer(reader.read(body.query));
    port.postMessage({ id, value: answer }, [...transfer]);
  } catch (cause) {
    const error = StorageError.from(cause, path, "reading the chat file").toData();
    port.postMessage({ id, error });
  }
});
