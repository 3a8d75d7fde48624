// Somebody with other people's tokens and no manners: repeats their requests over connections of its
// own, reuses their ids for other contents, and sends garbage. None of it may do anything (P2, P11).
import type { CallName } from "@parley/client";
import type { ClientHost } from "../client-host.ts";
import type { Coverage } from "../coverage.ts";
import type { History } from "../history.ts";
import type { Checker, Operation, Outcome, Report } from "../observer.ts";
import type { Network } from "../world/network.ts";
import type { Prng } from "../world/prng.ts";
import { VirtualProcess } from "../world/process.ts";
import type { Scheduler } from "../world/scheduler.ts";
import { likeStranger, strangerName } from "./people.ts";
import { type RawSessionOptions, rawBytes, rawRequest } from "./raw-session.ts";

const NAME = "intruder";
const REMEMBERED_MAX = 400;
/** Accounts that it tries to make. */
const KNOCKS_MAX = 30;
const PROPERTY = "P2 once";

/** Answered alike only in substance when repeated: a read position is a maximum. */
const NOT_COMPARED: ReadonlySet<string> = new Set(["markRead"]);

interface KnownWrite {
  readonly client: ClientHost;
  readonly name: CallName;
  readonly requestId: string;
  readonly fields: object;
}

interface KnownSend {
  readonly client: ClientHost;
  readonly roomId: number;
  readonly clientMessageId: string;
  readonly body: string;
  /** The same sender's send before it in the room; "" = none. */
  readonly after: string;
}

export class Intruder implements Checker {
  readonly property = PROPERTY;
  readonly #clients: readonly ClientHost[];
  readonly #nodes: readonly string[];
  readonly #random: Prng;
  readonly #gapUsMean: number;
  readonly #scheduler: Scheduler;
  readonly #network: Network;
  readonly #coverage: Coverage;
  readonly #report: Report;
  readonly #someSecret: (random: Prng) => string | undefined;
  readonly #someLink: (random: Prng) => string | undefined;
  readonly #process: VirtualProcess;
  readonly #sends: KnownSend[] = [];
  readonly #writes: KnownWrite[] = [];
  readonly #lastSend = new Map<string, string>();
  readonly #acknowledged = new Set<string>();
  #history: History | undefined;
  /** The highest that a message was acknowledged with. */
  #revision = 0;
  #knocks = 0;
  #stopped = false;

  constructor(
    clients: readonly ClientHost[],
    nodes: readonly string[],
    random: Prng,
    parts: {
      /** Mean time between two deeds. */
      readonly gapUsMean: number;
      readonly scheduler: Scheduler;
      readonly network: Network;
      readonly coverage: Coverage;
      readonly report: Report;
      /** Of a link that goes about. */
      readonly someSecret: (random: Prng) => string | undefined;
      /** For a forgotten password. */
      readonly someLink: (random: Prng) => string | undefined;
    },
  ) {
    this.#clients = clients;
    this.#nodes = nodes;
    this.#random = random;
    this.#gapUsMean = parts.gapUsMean;
    this.#scheduler = parts.scheduler;
    this.#network = parts.network;
    this.#coverage = parts.coverage;
    this.#report = parts.report;
    this.#someSecret = parts.someSecret;
    this.#someLink = parts.someLink;
    this.#network.addMachine(NAME);
    this.#process = new VirtualProcess(NAME, parts.scheduler);
  }

  start(history: History): void {
    this.#history = history;
    this.#next();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Listens to what people ask for, to repeat it later. */
  onInvoke(operation: Operation): void {
    const client = this.#clients.find((one) => one.name === operation.client);
    if (client === undefined) return;
    if (operation.kind.kind === "write" && !NOT_COMPARED.has(operation.kind.name)) {
      const { name, requestId, fields } = operation.kind;
      this.#writes.push({ client, name, requestId, fields });
      if (this.#writes.length > REMEMBERED_MAX) this.#writes.shift();
    }
    if (operation.kind.kind !== "send") return;
    const { roomId, clientMessageId, body } = operation.kind;
    const key = `${operation.client} ${roomId}`;
    this.#sends.push({
      client,
      roomId,
      clientMessageId,
      body,
      after: this.#lastSend.get(key) ?? "",
    });
    this.#lastSend.set(key, clientMessageId);
    if (this.#sends.length > REMEMBERED_MAX) this.#sends.shift();
  }

  onOutcome(_operation: Operation, outcome: Outcome): void {
    if (outcome.kind === "sent") {
      this.#acknowledged.add(outcome.message.clientMessageId);
      this.#revision = Math.max(this.#revision, outcome.message.revision);
    }
  }

  #next(): void {
    if (this.#stopped) return;
    this.#scheduler.after(this.#random.exponential(this.#gapUsMean), () => {
      this.#process.deliver(() => this.#act());
      this.#next();
    });
  }

  #act(): void {
    const what = this.#random.weighted({
      repeat: 6,
      "repeat-write": 4,
      "log-in": 1,
      knock: 1,
      "use-link": 2,
      reuse: 2,
      "ask-ahead": 3,
      garbage: 2,
      wrong: 1,
    });
    switch (what) {
      case "repeat":
        this.#repeat();
        break;
      case "repeat-write":
        this.#repeatWrite();
        break;
      case "log-in":
        this.#logIn();
        break;
      case "knock":
        this.#knock();
        break;
      case "use-link":
        this.#useLink();
        break;
      case "reuse":
        this.#reuse();
        break;
      case "ask-ahead":
        this.#askAhead();
        break;
      case "garbage":
        this.#garbage();
        break;
      case "wrong":
        this.#wrongRequest();
        break;
      default:
        what satisfies never;
    }
  }

  #repeat(): void {
    const history = this.#history;
    if (this.#sends.length === 0 || history === undefined) return;
    const send = this.#random.pick(this.#sends);
    // A message that its sender has lost or given up must not come back behind its successors.
    const isPending = send.client.keepsOutbox && send.client.pendingSends.has(send.clientMessageId);
    if (!isPending && !this.#acknowledged.has(send.clientMessageId)) return;
    this.#coverage.add("duplicates-submitted");
    const { roomId, clientMessageId, body } = send;
    const operation = history.invoke(NAME, send.client.accountId, 0, {
      kind: "send",
      roomId,
      clientMessageId,
      body,
      files: [],
      ordered: false,
    });
    rawRequest(this.#session(send.client), "send", {
      roomId,
      body,
      clientMessageId,
      afterClientMessageId: send.after,
    }).then((result) => {
      let outcome: Outcome;
      if (result.kind === "ok" && result.response.message !== undefined) {
        const { message, replicas } = result.response;
        outcome = { kind: "sent", message, replicas };
      } else if (result.kind === "error") {
        const { reason, message } = result.error;
        outcome = { kind: "refused", reason, detail: message };
      } else outcome = { kind: "unknown", reason: "no answer" };
      history.complete(operation, outcome);
    });
  }

  #repeatWrite(): void {
    const history = this.#history;
    if (this.#writes.length === 0 || history === undefined) return;
    const { client, name, requestId, fields } = this.#random.pick(this.#writes);
    this.#coverage.add("duplicates-submitted");
    const operation = history.invoke(NAME, client.accountId, 0, {
      kind: "write",
      name,
      requestId,
      fields,
    });
    rawRequest(this.#session(client), name, { ...fields, requestId }).then((result) => {
      let outcome: Outcome = { kind: "unknown", reason: "no answer" };
      if (result.kind === "ok" && "revision" in result.response) {
        const { revision } = result.response;
        outcome = { kind: "written", revision, response: `revision ${revision}` };
      } else if (result.kind === "error") {
        const { reason, message } = result.error;
        outcome = { kind: "refused", reason, detail: message };
      }
      history.complete(operation, outcome);
    });
  }

  /** With the right password or a wrong one. */
  #logIn(): void {
    const client = this.#random.pick(this.#clients);
    const isRight = this.#random.chance(0.7);
    const password = isRight ? client.password : "not the password";
    const requestId = client.uuid7();
    rawRequest(this.#session(undefined), "login", {
      username: client.username,
      password,
      requestId,
    }).then((result) => {
      if (result.kind === "ok" && !isRight) {
        this.#report({ property: "P10 closed", detail: "a wrong password was let in" });
      } else if (result.kind === "ok") this.#coverage.add("logins");
      else if (result.kind === "error" && result.error.reason === "WRONG_CREDENTIALS") {
        this.#coverage.add("logins-refused");
      }
    });
  }

  /** Tries to make an account, sometimes twice with one id, once everybody else has one. Who may is for the checker to judge. */
  #knock(): void {
    if (this.#knocks >= KNOCKS_MAX || this.#clients.some(({ accountId }) => accountId === 0))
      return;
    this.#knocks += 1;
    const someone = this.#random.pick(this.#clients);
    const requestId = someone.uuid7();
    const times = this.#random.chance(0.3) ? 2 : 1;
    const inviteSecret = this.#random.chance(0.5) ? (this.#someSecret(this.#random) ?? "") : "";
    const tries = Array.from({ length: times }, () => ({
      username: strangerName(this.#knocks),
      requestId,
    }));
    if (this.#random.chance(0.5)) {
      const other = { username: likeStranger(this.#knocks), requestId: someone.uuid7() };
      tries.push(other);
    }
    for (const one of tries) {
      const more = { password: "let me in, please", inviteSecret };
      void rawRequest(this.#session(undefined), "register", { ...one, ...more });
    }
  }

  /** Sets a password by a link, sometimes twice: as a retry, or as if it were another use. Whether it counts is for the checker to judge. */
  #useLink(): void {
    const secret = this.#someLink(this.#random);
    if (secret === undefined) return;
    const someone = this.#random.pick(this.#clients);
    const requestId = someone.uuid7();
    const ids = this.#random.pick([
      [requestId],
      [requestId, requestId],
      [requestId, someone.uuid7()],
    ]);
    for (const id of ids) {
      void rawRequest(this.#session(undefined), "usePasswordLink", {
        secret,
        newPassword: `remembered ${secret}`,
        requestId: id,
      });
    }
  }

  #reuse(): void {
    const send = this.#sends.find((one) => this.#acknowledged.has(one.clientMessageId));
    if (send === undefined) return;
    rawRequest(this.#session(send.client), "send", {
      roomId: send.roomId,
      body: `${send.body} (forged)`,
      clientMessageId: send.clientMessageId,
      afterClientMessageId: send.after,
    }).then((result) => {
      if (result.kind === "error" && result.error.reason === "ID_REUSED") {
        this.#coverage.add("ids-reused-refused");
      } else if (result.kind === "ok") {
        this.#report({
          property: PROPERTY,
          detail: `message id ${send.clientMessageId} was accepted again with another body`,
        });
      }
    });
  }

  /** A node must not answer somebody who says to have seen more than the node has (P4). */
  #askAhead(): void {
    if (this.#sends.length === 0) return;
    const { client, roomId } = this.#random.pick(this.#sends);
    const minRevision = this.#revision + this.#random.int(10);
    rawRequest(this.#session(client), "history", { roomId, limit: 1, minRevision }).then(
      (result) => {
        if (result.kind === "error" && result.error.reason === "BEHIND") {
          this.#coverage.add("asked-ahead-refused");
        }
        if (result.kind !== "ok" || result.response.revision >= minRevision) return;
        this.#report({
          property: "P4 no going back",
          detail: `a read that needs revision ${minRevision} was answered as of ${result.response.revision}`,
        });
      },
    );
  }

  #garbage(): void {
    this.#coverage.add("malformed-frames-sent");
    const bytes = this.#random.bytes(this.#random.between(1, 200));
    // Field number 0 does not exist: no decoder may take it.
    bytes[0] = 0x07;
    rawBytes(this.#session(undefined), bytes, this.#random.chance(0.5)).then((result) => {
      if (result !== "answered") return;
      this.#report({
        property: "P11 bounded",
        detail: "garbage was answered as if it were a frame",
      });
    });
  }

  #wrongRequest(): void {
    const client = this.#random.pick(this.#clients);
    const body = this.#random.pick(["", "x".repeat(20_000), "\u0000".repeat(3)]);
    const clientMessageId = this.#random.pick(["", "i".repeat(65), "fine"]);
    const roomId = this.#random.pick([0, 999_999_999, Number.MAX_SAFE_INTEGER]);
    rawRequest(this.#session(client), "send", { roomId, body, clientMessageId }).then((result) => {
      if (result.kind !== "ok") return;
      this.#report({ property: "P11 bounded", detail: "a send without a room was accepted" });
    });
  }

  #session(client: ClientHost | undefined): RawSessionOptions {
    return {
      scheduler: this.#scheduler,
      network: this.#network,
      process: this.#process,
      machine: NAME,
      node: this.#random.pick(this.#nodes),
      token: client?.token ?? "",
    };
  }
}
