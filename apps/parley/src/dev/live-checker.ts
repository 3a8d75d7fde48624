// Writes and reads through the SDK while somebody breaks the cluster, and counts: what was sent, what was acknowledged, what is lost (P1) and what
// is doubled (P2). Its messages are in a private room of an account of its own.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ParleyClient, ParleyError, RoomVisibility } from "@parley/client";
import { grpcCarrier, type TlsOptions } from "@parley/client/grpc";
import { Ledger } from "./ledger.ts";

export interface CheckerCounts {
  readonly isRunning: boolean;
  readonly sent: number;
  readonly acknowledged: number;
  readonly lost: number;
  readonly doubled: number;
  /** The longest time from a send to its acknowledgement. */
  readonly longestWaitMs: number;
  /** Why it does not run; "" = it does, or was not asked to. */
  readonly problem: string;
}

export interface LiveCheckerOptions {
  /** Where its password is kept. */
  readonly folder: string;
  readonly servers: readonly string[];
  readonly tls?: TlsOptions | undefined;
}

const USERNAME = "live-checker";
const ROOM = "live-checker";
const PAUSE_MS = 100;
/** It ends by itself. */
const SENDS_MAX = 6_000;
const WAITING_MAX = 1_000;
/** Asked to stop, it waits so long for its reader to see what was acknowledged. */
const CATCH_UP_MS_MAX = 10_000;
const CATCH_UP_POLL_MS = 50;

export class LiveChecker {
  readonly #options: LiveCheckerOptions;
  readonly #ledger = new Ledger();
  #clients: readonly ParleyClient[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isStarting = false;
  #sent = 0;
  #longestWaitMs = 0;
  #problem = "";

  constructor(options: LiveCheckerOptions) {
    this.#options = options;
  }

  get counts(): CheckerCounts {
    return {
      isRunning: this.#clients.length > 0 && !this.#isStarting,
      sent: this.#sent,
      acknowledged: this.#ledger.acknowledged,
      lost: this.#ledger.lost,
      doubled: this.#ledger.doubled,
      longestWaitMs: Math.round(this.#longestWaitMs),
      problem: this.#problem,
    };
  }

  /** Begins, or goes on. What keeps it from running is in `counts`. */
  async start(): Promise<void> {
    if (this.#clients.length > 0 || this.#isStarting) return;
    this.#isStarting = true;
    this.#problem = "";
    try {
      const writer = await this.#signIn();
      const roomId = await roomOf(writer);
      const reader = this.#client(writer.token);
      await reader.start();
      this.#clients = [writer, reader];
      this.#ledger.readerBegins();
      void this.#read(reader, roomId, writer.state.revision);
      this.#timer = setInterval(() => this.#write(writer, roomId), PAUSE_MS);
    } catch (cause) {
      this.#problem = cause instanceof Error ? cause.message : String(cause);
      await this.close();
    } finally {
      this.#isStarting = false;
    }
  }

  /** Writes no more, and ends when the reader has seen all that was acknowledged, or has not within 10 s. */
  async stop(): Promise<void> {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    const endMs = performance.now() + CATCH_UP_MS_MAX;
    while (this.#ledger.owed > 0 && performance.now() < endMs) await delay(CATCH_UP_POLL_MS);
    if (this.#ledger.owed > 0) {
      this.#problem = `stopped before the reader had seen ${this.#ledger.owed} of what was acknowledged; they are not counted`;
    }
    await this.close();
  }

  /** Ends at once. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    const clients = this.#clients;
    this.#clients = [];
    await Promise.all(clients.map((client) => client.close()));
  }

  #client(token?: string): ParleyClient {
    const client = new ParleyClient({
      servers: this.#options.servers,
      carrier: grpcCarrier({ tls: this.#options.tls }),
      token,
    });
    this.#clients = [...this.#clients, client];
    return client;
  }

  async #signIn(): Promise<ParleyClient> {
    const client = this.#client();
    await client.start();
    const fields = { username: USERNAME, password: this.#password() };
    try {
      await client.login(fields);
      return client;
    } catch (cause) {
      if (!(cause instanceof ParleyError) || cause.reason !== "WRONG_CREDENTIALS") throw cause;
    }
    const { account } = await client.register(fields);
    if (account?.owner !== true) return client;
    // The first account owns the instance, and that is to be a person's.
    await client.call("deleteAccount", { password: fields.password });
    throw new Error("make an account of your own first: the first one owns this instance");
  }

  #password(): string {
    const path = join(this.#options.folder, "checker.token");
    if (existsSync(path)) return readFileSync(path, "utf8").trim();
    const password = randomBytes(24).toString("base64url");
    writeFileSync(path, `${password}\n`, { mode: 0o600 });
    return password;
  }

  #write(writer: ParleyClient, roomId: number): void {
    // Without a majority they wait; not without end (P11).
    if (this.#sent - this.#ledger.acknowledged >= WAITING_MAX) return;
    if (this.#sent >= SENDS_MAX) {
      void this.stop();
      return;
    }
    this.#sent += 1;
    const startedMs = performance.now();
    const { clientMessageId, committed } = writer.enqueue(roomId, `${this.#sent}`);
    committed.then(
      ({ message }) => {
        this.#longestWaitMs = Math.max(this.#longestWaitMs, performance.now() - startedMs);
        this.#ledger.wasAcknowledged(clientMessageId, message.revision);
      },
      (cause: unknown) => {
        if (cause instanceof ParleyError && cause.reason === "CANCELLED") return;
        this.#problem = cause instanceof Error ? cause.message : String(cause);
      },
    );
  }

  /** From a revision on that is known before anything is written: the reader may meet its node later than the writer. */
  async #read(reader: ParleyClient, roomId: number, afterRevision: number): Promise<void> {
    const subscription = reader.subscribe({ afterRevision });
    try {
      for await (const item of subscription) {
        if (item.kind === "resync") {
          this.#ledger.readerBegins();
          this.#problem = "the reader had to begin anew; what it did not see before is not counted";
          continue;
        }
        const change = item.event.event;
        if (change?.$case === "message" && change.value.roomId === roomId) {
          this.#ledger.wasTold(change.value.clientMessageId);
        }
        this.#ledger.readUpTo(item.cursor);
      }
    } catch {
      // The subscription ended with its client.
    }
  }
}

async function roomOf(client: ParleyClient): Promise<number> {
  const { rooms } = await client.call("listRooms", { pattern: ROOM });
  const [known] = rooms;
  if (known !== undefined) return known.id;
  const { room } = await client.call("createRoom", {
    name: ROOM,
    topic: "Written by the chaos panel, to count what is lost",
    visibility: RoomVisibility.ROOM_VISIBILITY_PRIVATE,
  });
  if (room === undefined) throw new Error("the room could not be made");
  return room.id;
}
