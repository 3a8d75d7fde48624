// P1 durable: a send is acknowledged only after a majority of voters has it on disk, and no
// acknowledged message is ever lost while a majority of disks survives. Nor is one shown to be on more
// disks than it is or was.
import type { Message } from "@parley/protocol";
import type { Checker, FinalState, Operation, Outcome, Report } from "../observer.ts";

const PROPERTY = "P1 durable";

/** On how many voters' disks the committed entry at an index is or was synced, and how many are a majority. */
export interface Copies {
  readonly copies: number;
  readonly needed: number;
}

export class P1Durable implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #copiesOf: (index: number) => Copies;
  readonly #disksOf: (index: number) => number;
  readonly #acknowledged: { readonly message: Message; readonly client: string }[] = [];

  /** `disksOf`: how many members, voters or not, have or had the committed entry at an index synced. */
  constructor(
    report: Report,
    copiesOf: (index: number) => Copies,
    disksOf: (index: number) => number,
  ) {
    this.#report = report;
    this.#copiesOf = copiesOf;
    this.#disksOf = disksOf;
  }

  get acknowledged(): number {
    return this.#acknowledged.length;
  }

  onOutcome(operation: Operation, outcome: Outcome): void {
    if (outcome.kind !== "sent") return;
    const { message } = outcome;
    this.#acknowledged.push({ message, client: operation.client });
    // A message's id is the index of its log entry.
    const { copies, needed } = this.#copiesOf(message.id);
    if (copies < needed) {
      this.#report({
        property: PROPERTY,
        detail: `message ${message.id} was acknowledged to ${operation.client} with ${copies} durable copies of ${needed}`,
      });
    }
  }

  onSpread(client: string, revision: number, replicas: number): void {
    const disks = this.#disksOf(revision);
    if (replicas <= disks) return;
    this.#report({
      property: PROPERTY,
      detail: `${client} shows message ${revision} on ${replicas} disks, and it is on ${disks}`,
    });
  }

  atEnd(end: FinalState): void {
    for (const node of end.nodes) {
      for (const { message, client } of this.#acknowledged) {
        const found = node.rooms.get(message.roomId)?.[message.seq - 1];
        if (
          found?.id === message.id &&
          found.clientMessageId === message.clientMessageId &&
          found.authorId === message.authorId
        ) {
          continue;
        }
        this.#report({
          property: PROPERTY,
          detail: `message ${message.clientMessageId} of ${client}, acknowledged as room ${message.roomId} seq ${message.seq}, is not there on node ${node.nodeId}`,
        });
        return;
      }
    }
  }
}
