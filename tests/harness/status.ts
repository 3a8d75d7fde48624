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

/**
 * The leader's id, once a live node names one; with `allBack` once every node itself answers, follows
 * that leader and has caught up.
 */
export async function leaderOf(cluster: DevCluster, allBack = false): Promise<number> {
  let leader = 0;
  await until(async () => {
    const live = cluster.nodes.filter((node) => node.pid !== null);
    const answers = await Promise.all(live.map((node) => statusOf(node.grpc)));
    const known = answers.filter((answer) => answer !== undefined);
    leader = known.find((answer) => answer.leaderId !== 0)?.leaderId ?? 0;
    if (leader === 0 || !allBack) return leader !== 0;
    return known.length === cluster.nodes.length && known.every((one) => isSettled(one, leader));
  }, "a leader");
  return leader;
}

function isSettled(status: StatusResponse, leader: number): boolean {
  if (status.leaderId !== leader || !status.hasQuorum) return false;
  return status.members.every((member) => member.healthy && member.lag < 1_000);
}

export function stateHashOf(address: string): Promise<StateHashResponse | undefined> {
  const client = new ClusterClient(address, credentials.createInsecure());
  return new Promise((resolve) => {
    client.stateHash(
      { atIndex: 0, deep: false },
      new Metadata(),
      { deadline: Date.now() + 5_000 },
      (error, response) => {
        client.close();
        resolve(error === null ? response : undefined);
      },
    );
  });
}
