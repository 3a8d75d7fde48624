// Somebody who uses the chat from a program: fills rooms faster than anybody types, while a browser looks on.
import { ParleyClient, RoomVisibility } from "@parley/client";
import { grpcCarrier } from "@parley/client/grpc";
import type { DevCluster } from "../harness/dev-cluster.ts";

/** As `Person` has it. */
const PASSWORD = "a long password";

/** Of the first account of the cluster that all files share: it owns the instance. */
export const OWNER = "owner";

/** With a new account, signed in. Close it. */
export async function sdkPerson(cluster: DevCluster, username: string): Promise<ParleyClient> {
  const client = await connected(cluster);
  await client.register({ username, password: PASSWORD });
  return client;
}

/** With an account that is there, signed in. Close it. */
export async function sdkReturns(cluster: DevCluster, username: string): Promise<ParleyClient> {
  const client = await connected(cluster);
  await client.login({ username, password: PASSWORD });
  return client;
}

async function connected(cluster: DevCluster): Promise<ParleyClient> {
  const client = new ParleyClient({ servers: cluster.addresses, carrier: grpcCarrier() });
  await client.start();
  return client;
}

/** The ids of new public rooms, in the order of their names. */
export async function createRooms(
  client: ParleyClient,
  names: readonly string[],
): Promise<readonly number[]> {
  return await inTurns(names, async (name) => {
    const { room } = await client.call("createRoom", {
      name,
      visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC,
    });
    return room?.id ?? 0;
  });
}

/** Many at a time, results in order. */
export async function inTurns<T, R>(
  items: readonly T[],
  action: (item: T) => Promise<R>,
  atOnce = 50,
): Promise<readonly R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += atOnce) {
    results.push(...(await Promise.all(items.slice(at, at + atOnce).map(action))));
  }
  return results;
}
