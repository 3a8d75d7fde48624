// Clients of the public SDK for the benchmarks: each has a session of its own on some node; a few
// accounts are shared among them, because registering costs an argon2id hash.
import { ParleyClient } from "@parley/client";
import { grpcCarrier } from "@parley/client/grpc";
import { RoomVisibility } from "@parley/protocol";

const ACCOUNTS = 16;
const PASSWORD = "benchmark-password";

export interface Fleet {
  readonly tokens: readonly string[];
  readonly rooms: readonly number[];
}

/** Registers the accounts and gives each a room that it writes to. */
export async function prepareFleet(servers: readonly string[], prefix: string): Promise<Fleet> {
  const tokens: string[] = [];
  const rooms: number[] = [];
  for (let at = 0; at < ACCOUNTS; at += 1) {
    const client = new ParleyClient({ servers, carrier: grpcCarrier() });
    await client.start();
    await client.register({ username: `${prefix}-${at}`, password: PASSWORD });
    const created = await client.call("createRoom", {
      name: `${prefix}-${at}`,
      visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC,
    });
    tokens.push(client.token);
    rooms.push(created.room?.id ?? 0);
    await client.close();
  }
  return { tokens, rooms };
}

export interface Writer {
  readonly client: ParleyClient;
  readonly roomId: number;
}

/** `count` clients, online, spread over the nodes. */
export async function connectWriters(
  servers: readonly string[],
  fleet: Fleet,
  count: number,
): Promise<readonly Writer[]> {
  const writers = Array.from({ length: count }, (_, at) => ({
    client: new ParleyClient({
      servers: [...servers.slice(at % servers.length), ...servers.slice(0, at % servers.length)],
      carrier: grpcCarrier(),
      token: fleet.tokens[at % ACCOUNTS],
    }),
    roomId: fleet.rooms[at % ACCOUNTS] ?? 0,
  }));
  for (let at = 0; at < writers.length; at += 64) {
    const batch = writers.slice(at, at + 64);
    await Promise.all(
      batch.map(async ({ client }) => {
        await client.start();
        await client.online();
      }),
    );
  }
  return writers;
}

export async function closeWriters(writers: readonly Writer[]): Promise<void> {
  await Promise.all(writers.map(({ client }) => client.close()));
}
