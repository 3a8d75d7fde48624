/**
 * The log's thread. Writes that arrive while a group is being synced form the next group (group
 * commit); reads are served in slices between groups. `receiveMessageOnPort` empties the port
 * without a turn of the event loop, so a group is everything that has arrived, not one message.
 */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { DamagedEntry, LogWrite, NodeIdentity } from "@parley/node/ports";
import { ByteWriter } from "./bytes.ts";
import { ENTRY_OVERHEAD_BYTES, packEntry, unpackWrites } from "./entry-codec.ts";
import { StorageError } from "./errors.ts";
import { LogEngine, type LogEngineOptions, type LogInstall } from "./log-engine.ts";
import type { CloseRequest, WorkerReply, WorkerRequest } from "./worker-link.ts";

export interface LogWorkerData {
  readonly path: string;
  readonly options: LogEngineOptions;
}

export type LogRequest =
  | { readonly kind: "open" }
  | { readonly kind: "append"; readonly packed: Uint8Array<ArrayBuffer> }
  | { readonly kind: "set-identity"; readonly identity: NodeIdentity }
  | { readonly kind: "set-chat-generation"; readonly generation: number }
  | { readonly kind: "note-durable-applied"; readonly index: number }
  | { readonly kind: "note-witness"; readonly index: number; readonly state: Uint8Array }
  | { readonly kind: "install"; readonly install: LogInstall }
  | { readonly kind: "size" }
  | { readonly kind: "compact"; readonly index: number; readonly dataFloor: number }
  | { readonly kind: "read"; readonly lo: number; readonly hi: number; readonly bytesMax: number };

type Request = WorkerRequest<LogRequest | CloseRequest>;

interface ReadJob {
  readonly id: number;
  readonly lo: number;
  readonly hi: number;
  readonly bytesMax: number;
  next: number;
  writer: ByteWriter;
  /** The engine's count when the first slice was read. */
  replacements: number;
}

/** A group ends at about this many bytes, so that its first writes don't wait for all the others. */
const GROUP_BYTES_MAX = 8 * 1024 * 1024;
const SLICE_BYTES_MAX = 256 * 1024;

if (parentPort === null) throw new Error("log-worker.ts runs as a worker thread");
const port = parentPort;
const { path, options } = workerData as LogWorkerData;

let engine: LogEngine | undefined;
let failure: StorageError | undefined;
const writes: Request[] = [];
const reads: ReadJob[] = [];
const compactions: { readonly id: number; readonly index: number; readonly dataFloor: number }[] =
  [];
let pumping = false;

port.on("message", (request: Request) => {
  accept(request);
  acceptWaiting();
  if (!pumping) pump();
});

function acceptWaiting(): void {
  for (let waiting = receiveMessageOnPort(port); waiting; waiting = receiveMessageOnPort(port)) {
    accept(waiting.message as Request);
  }
}

function accept(request: Request): void {
  const { id, body } = request;
  if (body.kind === "compact") {
    compactions.push({ id, index: body.index, dataFloor: body.dataFloor });
    return;
  }
  if (body.kind !== "read") {
    writes.push(request);
    return;
  }
  const { lo, hi, bytesMax } = body;
  reads.push({ id, lo, hi, bytesMax, next: lo, writer: new ByteWriter(), replacements: -1 });
}

/** Writes until there are none, then one slice of other work, then whatever has arrived meanwhile. */
function pump(): void {
  pumping = false;
  while (writes.length > 0) {
    const [first] = writes;
    if (first?.body.kind === "append") appendGroup();
    else if (first !== undefined) {
      writes.shift();
      handleSingle(first);
    }
    acceptWaiting();
  }
  const [read] = reads;
  const [compaction] = compactions;
  if (read !== undefined) readSlice(read);
  if (compaction !== undefined) compactSlice(compaction);
  if (reads.length > 0 || compactions.length > 0) {
    pumping = true;
    setImmediate(pump);
  }
}

function appendGroup(): void {
  const ids: number[] = [];
  const group: LogWrite[] = [];
  let bytes = 0;
  for (const { id, body } of writes) {
    if (body.kind !== "append" || (bytes > 0 && bytes + body.packed.byteLength > GROUP_BYTES_MAX)) {
      break;
    }
    bytes += body.packed.byteLength;
    ids.push(id);
    group.push(...unpackWrites(body.packed));
  }
  writes.splice(0, ids.length);
  attempt(ids, () => {
    const begunMs = performance.now();
    return opened().append(group) ? performance.now() - begunMs : undefined;
  });
  if (failure === undefined && engine?.checkpointDue) {
    // After the answers, so that only what comes next waits for it.
    attempt([], () => opened().checkpoint());
  }
}

function handleSingle({ id, body }: Request): void {
  switch (body.kind) {
    case "open":
      attempt([id], () => {
        engine = LogEngine.open(path, options);
        const { state, chatGeneration, witnessState: witness } = engine;
        return { state, chatGeneration, witness };
      });
      return;
    case "set-identity":
      attempt([id], () => opened().setIdentity(body.identity));
      return;
    case "set-chat-generation":
      attempt([id], () => opened().setChatGeneration(body.generation));
      return;
    case "note-durable-applied":
      attempt([id], () => opened().noteDurableApplied(body.index));
      return;
    case "note-witness":
      attempt([id], () => opened().noteWitness(body.index, body.state));
      return;
    case "install":
      attempt([id], () => {
        opened().install(body.install);
        return opened().state;
      });
      return;
    case "size":
      attempt([id], () => opened().usedBytes);
      return;
    case "close":
      close(id);
      return;
    case "append":
    case "compact":
    case "read":
      throw new Error(`${body.kind} is not handled alone`);
  }
}

/** A broken log is closed like any other: its lock has to go. */
function close(id: number): void {
  try {
    engine?.close();
    reply({ id });
  } catch (cause) {
    reply({ id, error: StorageError.from(cause, path, "closing the raft log").toData() });
  }
  engine = undefined;
  port.close();
}

function compactSlice({ id, index, dataFloor }: (typeof compactions)[number]): void {
  let isMore = false;
  try {
    if (failure !== undefined) throw failure;
    isMore = opened().compactSlice(index, dataFloor);
  } catch (cause) {
    const error = StorageError.from(cause, path, "compacting the raft log");
    if (error.kind !== "invalid") failure ??= error;
    compactions.shift();
    reply({ id, error: error.toData() });
    return;
  }
  if (!isMore) {
    compactions.shift();
    reply({ id, value: opened().compactedPosition });
  }
  if (engine?.checkpointDue) attempt([], () => opened().checkpoint());
}

function readSlice(job: ReadJob): void {
  try {
    if (failure !== undefined) throw failure;
    const log = opened();
    if (job.replacements !== log.replacementCount) {
      // Entries were replaced between two slices: halves of two logs must not be joined.
      job.replacements = log.replacementCount;
      job.next = job.lo;
      job.writer = new ByteWriter(SLICE_BYTES_MAX);
    }
    const left = job.bytesMax - job.writer.byteLength;
    for (const entry of log.readSlice(job.next, job.hi, Math.min(left, SLICE_BYTES_MAX))) {
      const bytes = ENTRY_OVERHEAD_BYTES + entry.data.byteLength;
      if (job.next > job.lo && job.writer.byteLength + bytes > job.bytesMax) {
        finishRead(job);
        return;
      }
      packEntry(job.writer, entry);
      job.next = entry.index + 1;
    }
    if (job.next >= job.hi || job.writer.byteLength >= job.bytesMax) finishRead(job);
  } catch (cause) {
    const error = StorageError.from(cause, path, "reading the raft log");
    reads.shift();
    const damagedIndex = error.entryIndex;
    if (damagedIndex !== undefined && engine?.canSpare(damagedIndex) === true) {
      const value: DamagedEntry = { damagedIndex, found: error.message };
      reply({ id: job.id, value });
      return;
    }
    if (error.kind !== "invalid") failure ??= error;
    reply({ id: job.id, error: error.toData() });
  }
}

function finishRead(job: ReadJob): void {
  reads.shift();
  const packed = job.writer.finish();
  port.postMessage({ id: job.id, value: packed } satisfies WorkerReply, [packed.buffer]);
}

/** Does it once, and answers all of `ids`. The first failure is the answer to everything after it. */
function attempt(ids: readonly number[], work: () => unknown): void {
  let value: unknown;
  try {
    if (failure !== undefined) throw failure;
    value = work();
  } catch (cause) {
    failure ??= StorageError.from(cause, path, "using the raft log");
    const error = failure.toData();
    for (const id of ids) reply({ id, error });
    return;
  }
  // Several ids share one value: told once, so that one group counts as one.
  ids.forEach((id, at) => {
    reply(at === 0 ? { id, value } : { id });
  });
}

function reply(message: WorkerReply): void {
  port.postMessage(message);
}

function opened(): LogEngine {
  if (engine === undefined) throw new StorageError("closed", path, `${path} is not open`);
  return engine;
}
