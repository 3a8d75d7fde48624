// The operators' view of one node: status, a stream of it, and the state hash.
import {
  AddServerRequest,
  AddServerResponse,
  BackupRequest,
  CLIENT_FRAME_BOUNDS,
  type Decodable,
  DemoteServerRequest,
  DemoteServerResponse,
  decodeUntrusted,
  LIMITS,
  ParleyError,
  PromoteServerRequest,
  PromoteServerResponse,
  RemoveServerRequest,
  RemoveServerResponse,
  ReplaceServerRequest,
  ReplaceServerResponse,
  StateHashRequest,
  StateHashResponse,
  StatusRequest,
  StatusResponse,
  TransferLeadershipRequest,
  TransferLeadershipResponse,
  WatchRequest,
} from "@parley/protocol";
import type { Operation } from "../leader-requests.ts";
import type { MembershipChanges } from "../membership/membership-changes.ts";
import type { ChatReads, Clock, FrameSink, Timer } from "../ports.ts";
import type { Replica } from "../replica.ts";
import { Backup, type CopySource } from "./backup.ts";
import type { CallContext } from "./context.ts";
import type { Operators } from "./operators.ts";
import { witnessError } from "./witness-error.ts";

const WATCH_INTERVAL_MS = 1_000;
const WATCHERS_MAX = 64;
const ANSWER_MS = 300;
const SERVER_ID_MAX = 1_000_000;
const ADDRESS = /^(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):\d{1,5}$/;
const RETRY_AFTER_MS = 1_000;
/** A watcher that does not read misses updates instead of collecting them. */
const WATCH_BACKLOG_BYTES_MAX = 64 * 1024;

/** Backups at once; each reads a copy from the disk. */
const BACKUPS_MAX = 2;

export interface ClusterServiceParts {
  readonly replica: Replica;
  readonly chatStore: ChatReads;
  readonly clock: Clock;
  readonly operators: Operators;
  readonly copies: CopySource;
  readonly changes: Pick<MembershipChanges, "carryOut">;
  /** Only a loopback-only server answers without a login (P10). */
  readonly requiresLogin: boolean;
  /** There is no chat here to be saved or compared. */
  readonly isWitness?: boolean;
}

interface Watcher {
  readonly sink: FrameSink;
}

export class ClusterService {
  readonly #parts: ClusterServiceParts;
  readonly #watchers = new Set<Watcher>();
  readonly #backups = new Set<Backup>();
  #timer: Timer | undefined;
  #soon: Timer | undefined;

  constructor(parts: ClusterServiceParts) {
    this.#parts = parts;
    parts.replica.onViewChanged(() => this.#viewChanged());
  }

  /** An encoded StatusRequest in, the encoded StatusResponse out. Rejects with a ParleyError. */
  async status(requestBytes: Uint8Array, context: CallContext): Promise<Uint8Array> {
    decode(StatusRequest, requestBytes);
    await this.#admit(context);
    return this.#status();
  }

  /**
   * Watch: `sink` takes encoded StatusResponses: one at once, one when something changed, at least
   * one a second. Failures end the sink. `cancel` when the reader is gone.
   */
  watch(requestBytes: Uint8Array, context: CallContext, sink: FrameSink): { cancel(): void } {
    const watcher: Watcher = { sink };
    let cancelled = false;
    const open = async () => {
      decode(WatchRequest, requestBytes);
      await this.#admit(context);
      if (cancelled) return;
      if (this.#watchers.size >= WATCHERS_MAX) {
        throw new ParleyError("OVERLOADED", "too many watchers", { retryAfterMs: RETRY_AFTER_MS });
      }
      this.#watchers.add(watcher);
      sink.send(this.#status());
      this.#timer ??= this.#parts.clock.after(WATCH_INTERVAL_MS, () => this.#interval());
    };
    open().catch((cause: unknown) => {
      if (!cancelled) sink.end(ParleyError.from(cause));
    });
    return {
      cancel: () => {
        cancelled = true;
        this.#watchers.delete(watcher);
      },
    };
  }

  /**
   * Backup: `sink` takes encoded BackupResponses: what it is, then its bytes. Consistent, while the node goes on.
   * Failures end the sink. `cancel` when the reader is gone.
   */
  backup(requestBytes: Uint8Array, context: CallContext, sink: FrameSink): { cancel(): void } {
    const { replica, clock, copies, operators } = this.#parts;
    const backup = new Backup(copies, clock, sink);
    const make = async () => {
      if (this.#parts.isWitness === true) throw witnessError();
      if (this.#backups.size >= BACKUPS_MAX) {
        throw new ParleyError("OVERLOADED", "this node makes backups already", {
          retryAfterMs: 1_000,
        });
      }
      this.#backups.add(backup);
      await backup.run(replica.view().clusterId, replica.appliedRevision);
    };
    const run = async () => {
      decode(BackupRequest, requestBytes);
      // It changes nothing, but it holds everything, passwords' hashes too.
      await operators.perform("a backup", context, make);
      sink.end();
    };
    run()
      .catch((cause: unknown) => sink.end(ParleyError.from(cause)))
      .finally(() => this.#backups.delete(backup));
    return { cancel: () => backup.cancel() };
  }

  /**
   * The state hash at an index, waiting for it until the deadline; equal on every node at equal
   * index. An index whose hash is no longer kept is INVALID_ARGUMENT.
   */
  async stateHash(requestBytes: Uint8Array, context: CallContext): Promise<Uint8Array> {
    const { atIndex, deep } = decode(StateHashRequest, requestBytes);
    await this.#admit(context);
    if (this.#parts.isWitness === true) throw witnessError();
    const { replica, chatStore, clock } = this.#parts;
    if (atIndex > replica.appliedRevision) {
      const latestMs = clock.monotonicMs() + LIMITS.requestTimeoutMsMax;
      const deadlineMs = Math.min(context.deadlineMs, latestMs);
      await replica.waitApplied(atIndex, { deadlineMs, signal: context.signal });
    }
    const found = await chatStore.stateHash(atIndex);
    if (found === undefined) {
      throw new ParleyError(
        "INVALID_ARGUMENT",
        `the hash at ${atIndex} is not kept: ask for the newest (0; now ` +
          `${replica.appliedRevision}) or a recent round index`,
        { revision: replica.appliedRevision },
      );
    }
    const recomputed = deep ? await chatStore.read({ kind: "recompute-hash" }) : undefined;
    const isHash = recomputed?.kind === "hash";
    return StateHashResponse.encode({
      ...found,
      recomputedIndex: isHash ? recomputed.revision : 0,
      recomputedHash: isHash ? recomputed.hash : "",
      recomputedKeptHash: isHash ? recomputed.keptHash : "",
    }).finish();
  }

  // ---- Changes of the membership (P8); each is answered when it is complete, or by its deadline --------

  async addServer(requestBytes: Uint8Array, context: CallContext): Promise<Uint8Array> {
    const request = decode(AddServerRequest, requestBytes);
    checkNewServer(request);
    await this.#change({ $case: "addServer", value: request }, context);
    const { members } = this.#parts.replica.status();
    const member = members.find(({ id }) => id === request.id);
    return AddServerResponse.encode({ member }).finish();
  }

  async promoteServer(requestBytes: Uint8Array, context: CallContext): Promise<Uint8Array> {
    const value = decode(PromoteServerRequest, requestBytes);
    await this.#change({ $case: "promoteServer", value }, context);
    return PromoteServerResponse.encode({}).finish();
  }

  async demoteServer(requestBytes: Uint8Array, context: CallContext): Promise<Uint8Array> {
    const value = decode(DemoteServerRequest, requestBytes);
    await this.#change({ $case: "demoteServer", value }, context);
    return DemoteServerResponse.encode({}).finish();
  }

  async removeServer(requestBytes: Uint8Array, context: CallContext): Promise<Uint8Array> {
    const value = decode(RemoveServerRequest, requestBytes);
    await this.#change({ $case: "removeServer", value }, context);
    return RemoveServerResponse.encode({}).finish();
  }

  async replaceServer(requestBytes: Uint8Array, context: CallContext): Promise<Uint8Array> {
    const value = decode(ReplaceServerRequest, requestBytes);
    await this.#change({ $case: "replaceServer", value }, context);
    return ReplaceServerResponse.encode({}).finish();
  }

  async transferLeadership(requestBytes: Uint8Array, context: CallContext): Promise<Uint8Array> {
    const value = decode(TransferLeadershipRequest, requestBytes);
    await this.#change({ $case: "transferLeadership", value }, context);
    const { leaderId } = this.#parts.replica.view();
    return TransferLeadershipResponse.encode({ leaderId }).finish();
  }

  /** Only an operator may change the cluster, and the log says who did. */
  async #change(operation: Operation, context: CallContext): Promise<void> {
    const { operators, changes, clock } = this.#parts;
    const action = `${operation.$case} ${JSON.stringify(operation.value)}`;
    await operators.perform(action, context, () => {
      // What it was waiting for has to reach the caller before the caller gives up.
      const deadlineMs = Math.min(
        context.deadlineMs - ANSWER_MS,
        clock.monotonicMs() + LIMITS.requestTimeoutMsMax,
      );
      return changes.carryOut(operation, { deadlineMs, signal: context.signal });
    });
  }

  /** Ends all watches. */
  close(): void {
    this.#timer?.cancel();
    this.#soon?.cancel();
    const error = new ParleyError("SHUTTING_DOWN", "the node is shutting down", {
      retryAfterMs: RETRY_AFTER_MS,
    });
    for (const { sink } of this.#watchers) sink.end(error);
    this.#watchers.clear();
    for (const backup of this.#backups) backup.cancel();
  }

  /** Looking is free on loopback; whatever changes something goes through `operators.perform`. */
  async #admit(context: CallContext): Promise<void> {
    if (this.#parts.requiresLogin) await this.#parts.operators.identify(context);
  }

  #status(): Uint8Array {
    return StatusResponse.encode(this.#parts.replica.status()).finish();
  }

  #interval(): void {
    this.#timer = undefined;
    if (this.#watchers.size === 0) return;
    this.#tell();
    this.#timer = this.#parts.clock.after(WATCH_INTERVAL_MS, () => this.#interval());
  }

  #viewChanged(): void {
    if (this.#watchers.size === 0) return;
    // Once for all the changes of a turn.
    this.#soon ??= this.#parts.clock.after(0, () => {
      this.#soon = undefined;
      this.#tell();
    });
  }

  #tell(): void {
    const status = this.#status();
    for (const { sink } of this.#watchers) {
      if (sink.backlogBytes() <= WATCH_BACKLOG_BYTES_MAX) sink.send(status);
    }
  }
}

function checkNewServer({ id, address }: AddServerRequest): void {
  if (!Number.isSafeInteger(id) || id < 1 || id > SERVER_ID_MAX) {
    throw new ParleyError("INVALID_ARGUMENT", `an id is a whole number of 1–${SERVER_ID_MAX}`);
  }
  if (!ADDRESS.test(address)) {
    throw new ParleyError(
      "INVALID_ARGUMENT",
      "an address is host:port, as the other servers reach it",
    );
  }
}

function decode<T>(codec: Decodable<T>, bytes: Uint8Array): T {
  return decodeUntrusted(codec, bytes, CLIENT_FRAME_BOUNDS);
}
