// Whether a cluster came through something unharmed: the same processes, all of them serving, one state.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SendRequest, SendResponse, StatusResponse } from "@parley/protocol";
import type { DevCluster } from "./dev-cluster.ts";
import { sameStateEverywhere } from "./oracle.ts";
import { RawGrpc } from "./raw-grpc.ts";

export class ServingCheck {
  readonly #cluster: DevCluster;
  readonly #pids: readonly (number | null)[];
  readonly #token: string;
  readonly #roomId: number;
  #sent = 0;

  /** `token`: of a member of the room, who may send there. */
  constructor(cluster: DevCluster, token: string, roomId: number) {
    this.#cluster = cluster;
    this.#pids = cluster.nodes.map((node) => node.pid);
    this.#token = token;
    this.#roomId = roomId;
  }

  /** Throws, saying which node, unless every node takes a send and all hold one state. */
  async unharmed(): Promise<void> {
    const { nodes } = this.#cluster;
    const pids = nodes.map((node) => node.pid);
    if (String(pids) !== String(this.#pids)) {
      throw new Error(`processes were ${this.#pids}, now ${pids}:\n${this.#cluster.tail}`);
    }
    for (const node of nodes) await this.#serves(node.id, node.grpc);
    await sameStateEverywhere(this.#cluster);
    for (const node of nodes) this.#nothingInternal(node.id);
  }

  async #serves(id: number, address: string): Promise<void> {
    const raw = new RawGrpc(address);
    try {
      this.#sent += 1;
      const body = `still serving ${this.#sent}`;
      const clientMessageId = `serving-${this.#sent}`;
      const request = SendRequest.fromPartial({ roomId: this.#roomId, body, clientMessageId });
      const token = this.#token;
      const sent = await raw.call("parley.v1.Chat/Send", SendRequest.encode(request).finish(), {
        token,
      });
      const [message] = sent.messages;
      if (message === undefined || SendResponse.decode(message).message?.body !== body) {
        throw new Error(`node ${id} does not serve: ${sent.code} ${sent.reason} ${sent.message}`);
      }
      const answer = await raw.call("parley.v1.Cluster/Status", new Uint8Array());
      const [status] = answer.messages;
      if (status === undefined || !StatusResponse.decode(status).hasQuorum) {
        throw new Error(`node ${id} has no quorum`);
      }
    } finally {
      await raw.close();
    }
  }

  /** A node that met something it did not expect says so in its log. */
  #nothingInternal(id: number): void {
    const log = readFileSync(join(this.#cluster.dir, "logs", `n${id}.log`), "utf8");
    const line = log
      .split("\n")
      .find((one) => one.includes('"level":"error"') || one.includes('"level":"fatal"'));
    if (line !== undefined) throw new Error(`node ${id} logged ${line}`);
  }
}
