// What the view of the cluster says of what happened to the connection.
import type { ClientState, ParleyClient, Trouble } from "@parley/client/browser";
import { expect, test } from "vitest";
import { ClusterWatch } from "./cluster-watch.ts";

const NODES = [{ id: 1, address: "127.0.0.1:7101" }];
const CLUSTER = { nodes: NODES, leaderId: 1, term: 3, hasQuorum: true, members: [] };

/** As far as it is looked at here. */
class StubClient {
  readonly cluster = CLUSTER;
  readonly positions = [];
  readonly unreached = [];
  state = { phase: "online", nodeId: 1, clockOffsetMs: 0 } as unknown as ClientState;
  #listener: () => void = () => {};

  onState(listener: () => void): () => void {
    this.#listener = listener;
    return () => {};
  }

  onPositions(): () => void {
    return () => {};
  }

  lose(kind: Trouble["kind"]): void {
    const trouble = { kind, address: "127.0.0.1:7101" };
    this.state = { ...this.state, phase: "dialing" as never, problem: "words of the SDK", trouble };
    this.#listener();
  }
}

test.each([
  ["closed", "127.0.0.1:7101 ended the connection"],
  ["refused", "127.0.0.1:7101 can't be reached"],
  ["timeout", "127.0.0.1:7101 did not answer in time"],
  ["unauthenticated", "127.0.0.1:7101 refuses the sign-in"],
  ["behind", "127.0.0.1:7101 does not know the sign-in yet"],
  ["malformed", "127.0.0.1:7101 sent what this page can't read"],
] as const)("a node that was lost, %s, is told of in the page's words", (kind, why) => {
  const client = new StubClient();
  const watch = new ClusterWatch(client as unknown as ParleyClient);
  client.lose(kind);
  const texts = watch.getSnapshot().happenings.map(({ text }) => text);
  expect(texts.at(-1)).toBe(`lost node 1, looking for another; ${why}`);
});
