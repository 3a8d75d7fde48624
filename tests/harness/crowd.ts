// Writers and subscribers through the SDK, as an application would use it: no error handling, because
// there must be nothing to handle.
import { ParleyClient } from "@parley/client";
import { grpcCarrier, type TlsOptions } from "@parley/client/grpc";
import { type Event, ParleyError, RegistrationMode, RoomVisibility } from "@parley/protocol";
import { until } from "./dev-cluster.ts";
import type { Acknowledged } from "./oracle.ts";

export interface CrowdOptions {
  readonly servers: readonly string[];
  readonly writers: number;
  readonly subscribers: number;
  readonly rooms: number;
  /** Left out: plain text. */
  readonly tls?: TlsOptions | undefined;
  /** What the first account of an instance beyond loopback needs. */
  readonly setupToken?: string | undefined;
  /** An older program, which does not know who may register: everybody may. */
  readonly isOlder?: boolean;
}

/** A new cluster learns within a moment that all its programs know of registration modes. */
async function openTo(owner: ParleyClient): Promise<void> {
  const mode = RegistrationMode.REGISTRATION_MODE_OPEN;
  await until(
    () =>
      owner.call("setRegistration", { mode }).then(
        () => true,
        (cause: unknown) => {
          if (ParleyError.from(cause).reason === "NOT_YET_SUPPORTED") return false;
          throw cause;
        },
      ),
    "registration modes",
  );
}

export class Crowd {
  readonly acknowledged: Acknowledged[] = [];
  readonly errors: unknown[] = [];
  readonly events: Event[][] = [];
  readonly roomIds: number[] = [];
  readonly token: string;
  readonly #clients: ParleyClient[] = [];
  #running = true;
  #loops: Promise<void>[] = [];
  #sent = 0;

  private constructor(token: string) {
    this.token = token;
  }

  static async gather(options: CrowdOptions): Promise<Crowd> {
    const { servers, tls, setupToken = "", isOlder = false } = options;
    const connect = async (name: string) => {
      const client = new ParleyClient({ servers, carrier: grpcCarrier({ tls }) });
      await client.start();
      await client.register({ username: name, password: "a long password", setupToken });
      return client;
    };
    const first = await connect("owner");
    const crowd = new Crowd(first.token);
    crowd.#clients.push(first);
    // Beyond loopback the others would need invites.
    if (setupToken !== "" && !isOlder) await openTo(first);
    for (let at = 0; at < options.rooms; at += 1) {
      const created = await first.call("createRoom", {
        name: `room-${at}`,
        visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC,
      });
      crowd.roomIds.push(created.room?.id ?? 0);
    }
    for (let at = 0; at < options.subscribers; at += 1) {
      const client = await connect(`subscriber-${at}`);
      for (const roomId of crowd.roomIds) await client.call("joinRoom", { roomId });
      crowd.#clients.push(client);
      crowd.#subscribe(client);
    }
    for (let at = 0; at < options.writers; at += 1) {
      const client = await connect(`writer-${at}`);
      for (const roomId of crowd.roomIds) await client.call("joinRoom", { roomId });
      crowd.#clients.push(client);
      crowd.#loops.push(crowd.#write(client, at));
    }
    return crowd;
  }

  get sent(): number {
    return this.#sent;
  }

  /** No more sends; resolves when all that were begun are acknowledged. */
  async finishWriting(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#loops);
  }

  /** Whether every subscriber has been told of everything that was acknowledged. */
  get heard(): boolean {
    return this.events.every((events) => {
      const messages = events.filter(({ event }) => event?.$case === "message");
      return messages.length >= this.acknowledged.length;
    });
  }

  async close(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  #subscribe(client: ParleyClient): void {
    const events: Event[] = [];
    this.events.push(events);
    const follow = async () => {
      for await (const item of client.subscribe({ afterRevision: 0 })) {
        if (item.kind === "event") events.push(item.event);
        else this.errors.push(new Error(`unexpected resync: ${item.reason}`));
      }
    };
    follow().catch((error: unknown) => this.errors.push(error));
  }

  /** A few sends in flight at a time, to one room after the other. */
  async #write(client: ParleyClient, writer: number): Promise<void> {
    for (let number = 0; this.#running; number += 1) {
      const roomId = this.roomIds[Math.floor(number / 4) % this.roomIds.length] ?? 0;
      const body = `writer ${writer} #${number}`;
      this.#sent += 1;
      const send = client.send(roomId, body).then(
        ({ message }) =>
          this.acknowledged.push({
            roomId,
            seq: message.seq,
            body,
            clientMessageId: message.clientMessageId,
          }),
        (error: unknown) => this.errors.push(error),
      );
      if (number % 4 === 3) await send;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    // Everything in flight: the outbox is in order, so the last one of each room settles last.
    while (client.state.pendingSends > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
