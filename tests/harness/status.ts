// Who leads, asked over the operators' API.
import { credentials, Metadata } from "@grpc/grpc-js";
import type { StateHashResponse, StatusResponse } from "@parley/protocol";
import { ClusterClient } from "@parley/protocol/services";
import { type DevCluster, until } from "./dev-cluster.ts";

export function statusOf(address: string): Promise<StatusResponse | undefined> {
  const client = new ClusterClient(address, credentials.createInsecure());
  return new Promise((resolve) => {
    client.status({}, new Metadata(), { deadline: Date.now() + 2_000 }, (error, response) => {
      client.close();
      resolve(error === null ? response : undefined);
    });
  });
}

/** The leader's id once a live node names one; with `allHealthy` once every member is healthy too, up to date. */
export async function leaderOf(cluster: DevCluster, allHealthy = false): Promise<number> {
  let leader = 0;
  await until(async () => {
    for (const node of cluster.nodes) {
      if (node.pid === null) continue;
      const status = await statusOf(node.grpc);
      if (status === undefined || status.leaderId === 0) continue;
      if (allHealthy && !status.members.every((member) => member.healthy && member.lag < 1_000))
        continue;
      leader = status.leaderId;
      return true;
    }
    return false;
  }, "a leader");
  return leader;
}

export function stateHashOf(address: string): Promise<StateHashResponse | undefined> {
  const client = new ClusterClient(address, credentials.createInsecure());
  return new Promise((resolve) => {
    client.stateHash(
      { atIndex: 0 },
      new Metadata(),
      { deadline: Date.now() + 5_000 },
      (error, response) => {
        client.close();
        resolve(error === null ? response : undefined);
      },
    );
  });
}
