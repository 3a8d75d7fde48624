// P6 with witnesses: any two of three data nodes may be away, and writes go on. And what a witness is: it votes and keeps the log, but
// nothing of the chat ever leaves it.
import type { LogWrite } from "@parley/node";
import { ServerFrame } from "@parley/protocol";
import type { Coverage } from "../coverage.ts";
import type { Checker, ObservedRaftMessage, Operation, Outcome, Report } from "../observer.ts";
import type { Server } from "../server.ts";

const PROPERTY = "P6 witnesses";

/** Looks at every frame that a witness sends to a client. */
export class WitnessServesNoChat {
  readonly #witnesses: ReadonlyMap<string, Server>;
  readonly #report: Report;

  constructor(servers: readonly Server[], report: Report) {
    const witnesses = servers.filter((server) => server.isWitness);
    this.#witnesses = new Map(witnesses.map((server) => [server.name, server]));
    this.#report = report;
  }

  onDelivered(from: string, bytes: Uint8Array): void {
    const witness = this.#witnesses.get(from);
    if (witness === undefined) return;
    const { events, replies, welcome, goAway } = ServerFrame.decode(bytes);
    const answered = replies.find(({ result }) => result?.$case !== "error");
    if (events.length > 0 || answered !== undefined || welcome?.account !== undefined) {
      const what = answered?.result?.$case ?? (events.length > 0 ? "events" : "an account");
      this.#report({ property: PROPERTY, detail: `the witness ${from} gave ${what} to a client` });
    }
    if (replies.length > 0 || goAway !== undefined) witness.refusedChat();
  }
}

/** Counts what was acknowledged while no more than one data node was there to do it. */
export class DataNodes implements Checker {
  readonly property = PROPERTY;
  readonly #servers: readonly Server[];
  readonly #hasWitnesses: boolean;
  readonly #coverage: Coverage;

  constructor(servers: readonly Server[], coverage: Coverage) {
    this.#servers = servers.filter((server) => !server.isWitness);
    this.#hasWitnesses = this.#servers.length < servers.length;
    this.#coverage = coverage;
  }

  onOutcome(_operation: Operation, outcome: Outcome): void {
    if (!this.#hasWitnesses || outcome.kind !== "sent") return;
    const working = this.#servers.filter(
      (server) => server.state === "up" && server.suspendedBy === undefined,
    );
    if (working.length <= 1) this.#coverage.add("sends-on-one-data-node");
  }
}

/** A witness leads until a data voter has everything: it takes configuration changes, and nothing of its clients'. */
export class WitnessesAppendNothing implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #isWitness: (raftId: number) => boolean;
  /** The highest term that each witness has led. */
  readonly #led = new Map<number, number>();

  constructor(report: Report, isWitness: (raftId: number) => boolean) {
    this.#report = report;
    this.#isWitness = isWitness;
  }

  onRaftMessageSent({ from, type, term }: ObservedRaftMessage): void {
    if ((type === "MsgApp" || type === "MsgHeartbeat") && this.#isWitness(from)) {
      this.#led.set(from, term);
    }
  }

  onLogWrite(nodeId: number, { entries }: LogWrite): void {
    const term = this.#led.get(nodeId);
    if (term === undefined) return;
    const taken = entries.find(
      (entry) => entry.term === term && entry.type === "EntryNormal" && entry.data.length > 0,
    );
    if (taken === undefined) return;
    const detail = `the witness r${nodeId} leads term ${term} and takes a proposal at index ${taken.index}`;
    this.#report({ property: PROPERTY, detail });
  }
}
