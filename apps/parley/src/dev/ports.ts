// Where the nodes of a dev cluster listen.
import { createServer, type Server } from "node:net";
import { HTTP_PORT_OFFSET } from "../config/load.ts";

/** Node n of a cluster at base B has gRPC on B + n and HTTP 1000 above it. */
export const DEFAULT_BASE_PORT = 7_400;
const BASE_STEP = 20;
const BASES_TRIED_MAX = 40;

export const HOST = "127.0.0.1";

export function grpcPort(base: number, id: number): number {
  return base + id;
}

export function httpPort(base: number, id: number): number {
  return grpcPort(base, id) + HTTP_PORT_OFFSET;
}

/** The ports at a base, for one cluster alone: no other one that asks is given them, also before the nodes listen on them. */
export interface PortClaim {
  readonly base: number;
  release(): void;
}

/**
 * The claim is a port too: the base itself, which no node has. It comes before the look at the others, since a look takes a port for a moment, and a
 * node of another cluster may begin to listen just then. `taken`: the ports that something else holds.
 */
export async function claimPorts(
  base: number,
  nodeCount: number,
): Promise<PortClaim | { readonly taken: readonly number[] }> {
  const held = await listen(base);
  if (held === undefined) return { taken: [base] };
  const taken = await takenPorts(base, nodeCount);
  if (taken.length === 0) return { base, release: () => held.close() };
  held.close();
  return { taken };
}

/** Those at the first base from `preferred` on where all are free; undefined when there is none. */
export async function claimFreePorts(
  preferred: number,
  nodeCount: number,
): Promise<PortClaim | undefined> {
  for (let tried = 0; tried < BASES_TRIED_MAX; tried += 1) {
    const base = preferred + tried * BASE_STEP;
    if (base + nodeCount + HTTP_PORT_OFFSET > 65_535) return undefined;
    const claim = await claimPorts(base, nodeCount);
    if ("base" in claim) return claim;
  }
  return undefined;
}

async function takenPorts(base: number, nodeCount: number): Promise<readonly number[]> {
  const ids = Array.from({ length: nodeCount }, (_, at) => at + 1);
  const ports = ids.flatMap((id) => [grpcPort(base, id), httpPort(base, id)]);
  const free = await Promise.all(ports.map(isFree));
  return ports.filter((_, at) => free[at] !== true);
}

async function isFree(port: number): Promise<boolean> {
  const server = await listen(port);
  if (server === undefined) return false;
  await new Promise((resolve) => server.close(resolve));
  return true;
}

/** Undefined: something else does. It ends with the process, and does not keep it alive. */
function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy()).unref();
    server.once("error", () => resolve(undefined));
    server.listen({ host: HOST, port, exclusive: true }, () => resolve(server));
  });
}
