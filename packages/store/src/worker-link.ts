/**
 * Requests to a worker thread and their answers. A storage failure is final: the first one rejects
 * everything that is under way and everything that comes after it (P1).
 */
import { Worker } from "node:worker_threads";
import { StorageError, type StorageErrorData } from "./errors.ts";

export interface WorkerRequest<Body> {
  readonly id: number;
  readonly body: Body;
}

export interface WorkerReply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: StorageErrorData;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: StorageError) => void;
}

/** Requests under way at the most (P11); whoever gets there has lost its own flow control. */
const PENDING_MAX = 65_536;

/** Asked last: the thread finishes what it has, answers and ends. */
export interface CloseRequest {
  readonly kind: "close";
}

export class WorkerLink<Body> {
  private readonly file: string;
  private readonly worker: Worker;
  private readonly pending = new Map<number, Pending>();
  private readonly exited: Promise<void>;
  private nextId = 1;
  private hasExited = false;
  private failure: StorageError | undefined;
  private closing: Promise<void> | undefined;

  /** Starts a thread that runs the module `script`; `file` is what its failures are about. */
  constructor(script: URL, workerData: unknown, file: string) {
    this.file = file;
    this.worker = new Worker(script, { workerData, execArgv: [] });
    this.worker.on("message", (reply: WorkerReply) => this.settle(reply));
    this.worker.on("error", (cause) => {
      this.fail(StorageError.from(cause, file, "running the storage thread"));
    });
    this.exited = new Promise((resolve) => {
      this.worker.once("exit", () => {
        this.hasExited = true;
        this.fail(new StorageError("closed", file, `${file}: the storage thread has ended`));
        resolve();
      });
    });
  }

  /** Whether everything is rejected from now on. */
  get hasFailed(): boolean {
    return this.failure !== undefined || this.closing !== undefined;
  }

  /** Resolves with the thread's answer; `transfer` moves buffers instead of copying them. */
  call(body: Body | CloseRequest, transfer: readonly ArrayBuffer[] = []): Promise<unknown> {
    if (this.closing !== undefined) {
      return Promise.reject(new StorageError("closed", this.file, `${this.file} is closed`));
    }
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return this.post(body, transfer);
  }

  /** Ends the thread after what it was asked before. Safe to call again, and after a failure. */
  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private async shutDown(): Promise<void> {
    if (this.hasExited) return;
    try {
      await this.post({ kind: "close" }, []);
    } catch (cause) {
      await this.worker.terminate();
      throw cause;
    }
    await this.exited;
  }

  private post(body: Body | CloseRequest, transfer: readonly ArrayBuffer[]): Promise<unknown> {
    if (this.pending.size >= PENDING_MAX) {
      const overrun = `${this.file}: more than ${PENDING_MAX} requests under way`;
      return Promise.reject(new StorageError("invalid", this.file, overrun));
    }
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject });
      this.worker.postMessage({ id, body } satisfies WorkerRequest<Body | CloseRequest>, transfer);
    });
  }

  private settle(reply: WorkerReply): void {
    const pending = this.pending.get(reply.id);
    if (pending === undefined) return;
    this.pending.delete(reply.id);
    if (reply.error === undefined) {
      pending.resolve(reply.value);
      return;
    }
    const error = StorageError.fromData(reply.error);
    pending.reject(error);
    // A question that made no sense harms nobody but the one who asked.
    if (error.kind !== "invalid") this.fail(error);
  }

  private fail(error: StorageError): void {
    this.failure ??= error;
    const abandoned = [...this.pending.values()];
    this.pending.clear();
    for (const { reject } of abandoned) reject(this.failure);
  }
}
