// A client in the scripted world, online at node 1, and what tests ask of it again and again.
import { type ClientOptions, MemoryOutbox, ParleyClient } from "../src/index.ts";
import {
  FakeCluster,
  type FakeNode,
  SeededRandom,
  type SentRequest,
  VirtualClock,
} from "./virtual-world.ts";

export interface ClientWorld {
  readonly clock: VirtualClock;
  readonly cluster: FakeCluster;
  readonly client: ParleyClient;
  /** The node that serves the session now. */
  serving(): FakeNode;
  node(id: number): FakeNode;
}

export function newWorld(size: number, options: Partial<ClientOptions> = {}): ClientWorld {
  const clock = options.clock instanceof VirtualClock ? options.clock : new VirtualClock();
  const cluster = new FakeCluster(clock, size);
  const client = new ParleyClient({
    servers: "node1:1",
    carrier: cluster,
    outbox: new MemoryOutbox(),
    token: "token",
    random: new SeededRandom(1),
    ...options,
    clock,
  });
  return {
    clock,
    cluster,
    client,
    serving: () => cluster.node(client.state.nodeId),
    node: (id) => cluster.node(id),
  };
}

export async function startedWorld(
  size: number,
  options: Partial<ClientOptions> = {},
): Promise<ClientWorld> {
  const world = newWorld(size, options);
  await world.client.start();
  await world.clock.advance(0);
  return world;
}

/** The fields of the sends that a session got, in order. */
export function sends(requests: readonly SentRequest[]) {
  return requests.flatMap(({ op }) => (op.$case === "send" ? [op.value] : []));
}

/** What became of a promise so far. */
export function watch<T>(promise: Promise<T>): { value?: T; error?: unknown } {
  const seen: { value?: T; error?: unknown } = {};
  promise.then(
    (value) => {
      seen.value = value;
    },
    (error: unknown) => {
      seen.error = error;
    },
  );
  return seen;
}
