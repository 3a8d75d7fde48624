// Whether a cluster came through something unharmed: the same processes, all of them serving, one state.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SendRequest, SendResponse, StatusCode, StatusResponse } from "@parley/protocol";
import { type DevCluster, until } from "./dev-cluster.ts";
import { sameStateEverywhere } from "./oracle.ts";
import { RawGrpc } from "./raw-grpc.ts";

/** Far less than what would need a person, more than what a busy machine takes. */
const SERVES_MS_MAX = 60_000;

/** Over all checks: each send must be a new one, not the repeat of an earlier check's. */
let sends = 0;

export class ServingCheck {
  readonly #cluster: DevCluster;
  readonly #pids: readonly (number | null)[];
  readonly #token: string;
  readonly #roomId: number;

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
      sends += 1;
      const body = `still serving ${sends}`;
      const clientMessageId = `serving-${sends}`;
      const request = SendRequest.fromPartial({ roomId: this.#roomId, body, clientMessageId });
      const bytes = SendRequest.encode(request).finish();
      let last = "";
      // As every client does: what may have been written is asked for again, with the same id.
      await until(
        async () => {
          const sent = await raw.call("parley.v1.Chat/Send", bytes, { token: this.#token });
          const [message] = sent.messages;
          last = `${sent.code} ${sent.reason} ${sent.message}`;
          if (message === undefined && sent.code !== StatusCode.UNAVAILABLE) throw new Error(last);
          return message !== undefined && SendResponse.decode(message).message?.body === body;
        },
        `node ${id} to serve`,
        SERVES_MS_MAX,
      ).catch((cause: unknown) => {
        throw new Error(`node ${id} does not serve: ${last}`, { cause });
      });
      await until(async () => {
        const answer = await raw.call("parley.v1.Cluster/Status", new Uint8Array());
        const [status] = answer.messages;
        return status !== undefined && StatusResponse.decode(status).hasQuorum;
      }, `node ${id} to be in touch with a quorum`);
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
