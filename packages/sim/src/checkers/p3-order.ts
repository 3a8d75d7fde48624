// P3 order: each room has one gap-free sequence 1, 2, 3 … the same on every node, and one sender's
// messages in a room stand in the order in which they were sent.
import type { Checker, FinalState, Operation, Outcome, Report } from "../observer.ts";

const PROPERTY = "P3 order";

const GIVEN_UP: ReadonlySet<Outcome["kind"]> = new Set(["refused", "unknown"] as const);

export class P3Order implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  /** `client room` → client message ids in the order of sending. */
  readonly #sent = new Map<string, string[]>();
  /** Refused for good, or forgotten by a sender that died without its outbox: these have no place to keep. */
  readonly #givenUp = new Set<string>();

  constructor(report: Report) {
    this.#report = report;
  }

  onInvoke(operation: Operation): void {
    if (operation.kind.kind !== "send" || !operation.kind.ordered) return;
    const key = `${operation.client} ${operation.kind.roomId}`;
    const list = this.#sent.get(key);
    if (list === undefined) this.#sent.set(key, [operation.kind.clientMessageId]);
    else if (!list.includes(operation.kind.clientMessageId)) {
      list.push(operation.kind.clientMessageId);
    }
  }

  onOutcome(operation: Operation, outcome: Outcome): void {
    if (operation.kind.kind === "send" && GIVEN_UP.has(outcome.kind)) {
      this.#givenUp.add(operation.kind.clientMessageId);
    }
  }

  atEnd(end: FinalState): void {
    const sequences = new Map<number, string>();
    for (const node of end.nodes) {
      const places = new Map<string, number>();
      for (const [roomId, messages] of node.rooms) {
        for (let i = 0; i < messages.length; i++) {
          const message = messages[i];
          if (message === undefined) continue;
          if (message.seq !== i + 1) {
            this.#report({
              property: PROPERTY,
              detail: `room ${roomId} on node ${node.nodeId} has seq ${message.seq} where ${i + 1} is due`,
            });
            return;
          }
          places.set(`${roomId} ${message.clientMessageId}`, message.seq);
        }
        const ids = messages.map((message) => message.id).join();
        const known = sequences.get(roomId);
        if (known !== undefined && known !== ids) {
          this.#report({
            property: PROPERTY,
            detail: `room ${roomId} is in another order on node ${node.nodeId}`,
          });
        }
        sequences.set(roomId, ids);
      }
      this.#checkSenders(node.nodeId, places);
    }
  }

  #checkSenders(nodeId: number, places: ReadonlyMap<string, number>): void {
    for (const [key, ids] of this.#sent) {
      const roomId = key.slice(key.lastIndexOf(" ") + 1);
      let last = 0;
      for (const id of ids) {
        const seq = places.get(`${roomId} ${id}`);
        if (seq === undefined || this.#givenUp.has(id)) continue;
        if (seq < last) {
          this.#report({
            property: PROPERTY,
            detail: `sender and room ${key}: message ${id} stands at seq ${seq}, before an earlier one at ${last} (node ${nodeId})`,
          });
          return;
        }
        last = seq;
      }
    }
  }
}
