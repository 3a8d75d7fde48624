// The record of what applications asked and were told, in the order in which it happened; the
// checkers read it as it is written.
import type { RoomMember } from "@parley/protocol";
import type { Audience } from "./audience.ts";
import type { Operation, OperationKind, Outcome, SubscriptionItem } from "./observer.ts";
import type { Trace } from "./world/trace.ts";

export class History {
  readonly #audience: Audience;
  readonly #trace: Trace;
  readonly #now: () => number;
  #at = 0;
  #operations = 0;
  readonly #open = new Set<Operation>();
  readonly outcomes = { sent: 0, read: 0, written: 0, refused: 0, unknown: 0 };

  constructor(audience: Audience, trace: Trace, now: () => number) {
    this.#audience = audience;
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
    for (const tell of this.#audience.of.onInvoke) tell(operation);
    return operation;
  }

  /** Only the first outcome of an operation counts. */
  complete(operation: Operation, outcome: Outcome): void {
    if (!this.#open.delete(operation)) return;
    this.#at += 1;
    this.outcomes[outcome.kind] += 1;
    this.#trace.mix(operation.id * 8 + outcome.kind.length);
    this.#trace.detail(operation.client, () => `#${operation.id} ${describe(outcome)}`);
    for (const tell of this.#audience.of.onOutcome) tell(operation, outcome, this.#at);
  }

  subscription(client: string, accountId: number, item: SubscriptionItem): void {
    this.#at += 1;
    if (item.kind === "event") this.#trace.mix(item.event.revision);
    this.#trace.detail(client, () => `is told ${JSON.stringify(item)}`);
    for (const tell of this.#audience.of.onSubscription) tell(client, accountId, item);
  }

  spread(client: string, revision: number, replicas: number): void {
    this.#trace.mix(revision * 8 + replicas);
    for (const tell of this.#audience.of.onSpread) tell(client, revision, replicas);
  }

  download(
    client: string,
    fileId: number,
    problem: string,
    part: "file" | "preview" = "file",
  ): void {
    this.#trace.mix(fileId * 8 + problem.length);
    for (const tell of this.#audience.of.onDownload) tell(client, fileId, problem, part);
  }

  types(accountId: number, roomId: number): void {
    for (const tell of this.#audience.of.onTypes) tell(accountId, roomId);
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
    for (const tell of this.#audience.of.onTypist) {
      tell(client, accountId, roomId, typistId, seenRevision);
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
    for (const tell of this.#audience.of.onReceipt) {
      tell(client, accountId, receipt, seenRevision);
    }
  }

  members(
    client: string,
    accountId: number,
    roomId: number,
    revision: number,
    members: readonly RoomMember[],
  ): void {
    for (const tell of this.#audience.of.onMembers) {
      tell(client, accountId, roomId, revision, members);
    }
  }

  subscriberLost(client: string): void {
    for (const tell of this.#audience.of.onSubscriberLost) tell(client);
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
