// P2 once: however often and late a send or another write is retried, it is executed once, and every
// retry gets the first result.
import type { AppliedBatch, CommittedEntry } from "@parley/chat";
import { type Command, LoginResponse, RegisterResponse } from "@parley/protocol";
import type { Checker, FinalState, Operation, Outcome, Report } from "../observer.ts";
import { FirstApplied } from "./first-applied.ts";

const PROPERTY = "P2 once";

interface FirstExecution {
  readonly index: number;
  readonly response: string;
}

export class P2Once implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #executions = new Map<string, FirstExecution>();
  readonly #results = new Map<string, string>();
  readonly #first = new FirstApplied();
  /** Retries that reached the log and were answered with the first result. */
  repeated = 0;

  constructor(report: Report) {
    this.#report = report;
  }

  onApplied(_nodeId: number, batch: AppliedBatch, entries: readonly CommittedEntry[]): void {
    for (const { command, applied } of this.#first.of(batch, entries)) {
      if (applied.outcome.kind !== "ok") continue;
      // A read position is a maximum: moving it again to the same place is harmless by nature.
      if (command.op?.$case === "markRead") continue;
      const send = command.op?.$case === "send" ? command.op.value : undefined;
      const isSend = send !== undefined;
      const id = isSend ? `send ${send.clientMessageId}` : command.requestId;
      if (id === "") continue;
      const key = `${command.accountId} ${id}`;
      const response = comparable(command, applied.outcome.response);
      const first = this.#executions.get(key);
      if (first === undefined) {
        this.#executions.set(key, { index: applied.index, response });
        continue;
      }
      this.repeated += 1;
      if (applied.deliveries.length > 0 || applied.changes.length > 0) {
        this.#report({
          property: PROPERTY,
          detail: `${key} (${command.op?.$case}) was executed at index ${first.index} and again at ${applied.index}`,
        });
      } else if (!isSend && first.response !== response) {
        // A send's retry shows the message as it is now (it may have been deleted since).
        this.#report({
          property: PROPERTY,
          detail: `the retry of ${key} at index ${applied.index} (${command.op?.$case}) got another result than at ${first.index}: ${response} instead of ${first.response}`,
        });
      }
    }
  }

  onOutcome(operation: Operation, outcome: Outcome): void {
    let key: string;
    let result: string;
    if (operation.kind.kind === "send" && outcome.kind === "sent") {
      const { id, roomId, seq } = outcome.message;
      key = `${operation.accountId} send ${operation.kind.clientMessageId}`;
      result = `message ${id}, room ${roomId}, seq ${seq}`;
    } else if (isComparedWrite(operation) && outcome.kind === "written") {
      key = `${operation.accountId} ${operation.kind.requestId}`;
      result = outcome.response;
    } else return;
    const first = this.#results.get(key);
    if (first === undefined) this.#results.set(key, result);
    else if (first !== result) {
      this.#report({
        property: PROPERTY,
        detail: `${key} was answered with ${first}, then with ${result}`,
      });
    }
  }

  atEnd(end: FinalState): void {
    for (const node of end.nodes) {
      const stored = new Map<string, string>();
      for (const [roomId, messages] of node.rooms) {
        for (const message of messages) {
          const key = `${message.authorId} ${message.clientMessageId}`;
          const place = `room ${roomId} seq ${message.seq}`;
          const other = stored.get(key);
          if (other !== undefined) {
            this.#report({
              property: PROPERTY,
              detail: `node ${node.nodeId} stores ${key} twice: ${other} and ${place}`,
            });
            return;
          }
          stored.set(key, place);
        }
      }
    }
  }
}

/** A read position is a maximum, and so is how much of a file is there: a repeat answers where it stands now. */
function isComparedWrite(
  operation: Operation,
): operation is Operation & { readonly kind: { readonly kind: "write" } } {
  const { kind } = operation;
  return kind.kind === "write" && kind.name !== "markRead" && kind.name !== "upload";
}

/**
 * A response as text, without what a retry may answer differently: a retried sign-in brings a token of
 * its own, which is told apart from the first one's by an expiry of 0.
 */
function comparable(command: Command, response: Uint8Array): string {
  switch (command.op?.$case) {
    case "register":
      return JSON.stringify({ ...RegisterResponse.decode(response), tokenExpiresAtMs: 0 });
    case "createSession":
      return JSON.stringify({ ...LoginResponse.decode(response), tokenExpiresAtMs: 0 });
    default:
      return Buffer.from(response).toString("base64url");
  }
}
