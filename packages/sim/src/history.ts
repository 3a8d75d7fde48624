// The record of what applications asked and were told, in the order in which it happened; the
// checkers read it as it is written.
import type { RoomMember } from "@parley/protocol";
import type { Checker, Operation, OperationKind, Outcome, SubscriptionItem } from "./observer.ts";
import type { Trace } from "./world/trace.ts";

export class History {
  readonly #checkers: readonly Checker[];
  readonly #trace: Trace;
  readonly #now: () => number;
  #at = 0;
  #operations = 0;
  readonly #open = new Set<Operation>();
  readonly outcomes = { sent: 0, read: 0, written: 0, refused: 0, unknown: 0 };

  constructor(checkers: readonly Checker[], trace: Trace, now: () => number) {
    this.#checkers = checkers;
    this.#trace = trace;
    this.#now = now;
  }

  /** Operations that have been invoked. */
  get operations(): number {
    return this.#operations;
  }

  /** Operations without an outcome yet. */
  get open(): ReadonlySet<Operation> {
    return this.#open;
  }

  invoke(client: string, accountId: number, seenRevision: number, kind: OperationKind): Operation {
    this.#operations += 1;
    this.#at += 1;
    const operation: Operation = {
      id: this.#operations,
      client,
      accountId,
      kind,
      invokedAt: this.#at,
      invokedUs: this.#now(),
      seenRevision,
    };
    this.#open.add(operation);
    this.#trace.mix(operation.id);
    this.#trace.detail(client, () => `#${operation.id} asks ${JSON.stringify(kind)}`);
    for (const checker of this.#checkers) checker.onInvoke?.(operation);
    return operation;
  }

  /** Only the first outcome of an operation counts. */
  complete(operation: Operation, outcome: Outcome): void {
    if (!this.#open.delete(operation)) return;
    this.#at += 1;
    this.outcomes[outcome.kind] += 1;
    this.#trace.mix(operation.id * 8 + outcome.kind.length);
    this.#trace.detail(operation.client, () => `#${operation.id} ${describe(outcome)}`);
    for (const checker of this.#checkers) checker.onOutcome?.(operation, outcome, this.#at);
  }

  subscription(client: string, accountId: number, item: SubscriptionItem): void {
    this.#at += 1;
    if (item.kind === "event") this.#trace.mix(item.event.revision);
    this.#trace.detail(client, () => `is told ${JSON.stringify(item)}`);
    for (const checker of this.#checkers) checker.onSubscription?.(client, accountId, item);
  }

  spread(client: string, revision: number, replicas: number): void {
    this.#trace.mix(revision * 8 + replicas);
    for (const checker of this.#checkers) checker.onSpread?.(client, revision, replicas);
  }

  types(accountId: number, roomId: number): void {
    for (const checker of this.#checkers) checker.onTypes?.(accountId, roomId);
  }

  typist(
    client: string,
    accountId: number,
    roomId: number,
    typistId: number,
    seenRevision: number,
  ): void {
    this.#trace.mix(roomId * 16 + typistId);
    this.#trace.detail(client, () => `is told that account ${typistId} types in room ${roomId}`);
    for (const checker of this.#checkers) {
      checker.onTypist?.(client, accountId, roomId, typistId, seenRevision);
    }
  }

  receipt(
    client: string,
    accountId: number,
    receipt: { readonly roomId: number; readonly readerId: number; readonly seq: number },
    seenRevision: number,
  ): void {
    const { roomId, readerId, seq } = receipt;
    this.#trace.mix(roomId * 64 + readerId * 8 + seq);
    this.#trace.detail(client, () => `is told that ${readerId} has read ${seq} of room ${roomId}`);
    for (const checker of this.#checkers) {
      checker.onReceipt?.(client, accountId, receipt, seenRevision);
    }
  }

  members(
    client: string,
    accountId: number,
    roomId: number,
    revision: number,
    members: readonly RoomMember[],
  ): void {
    for (const checker of this.#checkers) {
      checker.onMembers?.(client, accountId, roomId, revision, members);
    }
  }

  subscriberLost(client: string): void {
    for (const checker of this.#checkers) checker.onSubscriberLost?.(client);
  }
}

function describe(outcome: Outcome): string {
  switch (outcome.kind) {
    case "sent":
      return `sent as room ${outcome.message.roomId} seq ${outcome.message.seq} (revision ${outcome.message.id}, ${outcome.replicas} replicas)`;
    case "read":
      return `read revision ${outcome.revision}${outcome.stale ? " (stale)" : ""}, ${outcome.messages.length} messages up to ${outcome.lastSeq}`;
    case "written":
      return `written at revision ${outcome.revision}`;
    case "refused":
      return `refused: ${outcome.reason} ${outcome.detail}`;
    case "unknown":
      return `unknown: ${outcome.reason}`;
    default:
      return outcome satisfies never;
  }
}
