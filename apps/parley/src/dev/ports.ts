// Where the nodes of a dev cluster listen.
import { createServer } from "node:net";
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

export function portsOf(base: number, nodeCount: number): readonly number[] {
  const ids = Array.from({ length: nodeCount }, (_, at) => at + 1);
  return ids.flatMap((id) => [grpcPort(base, id), httpPort(base, id)]);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: HOST, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** The ports at `base` that something else holds. */
export async function takenPorts(base: number, nodeCount: number): Promise<readonly number[]> {
  const ports = portsOf(base, nodeCount);
  const free = await Promise.all(ports.map(isFree));
  return ports.filter((_, at) => free[at] !== true);
}

/** The first base from `preferred` on whose ports are all free; undefined when none is. */
export async function freeBase(preferred: number, nodeCount: number): Promise<number | undefined> {
  for (let tried = 0; tried < BASES_TRIED_MAX; tried += 1) {
    const base = preferred + tried * BASE_STEP;
    if (base + nodeCount + HTTP_PORT_OFFSET > 65_535) return undefined;
    if ((await takenPorts(base, nodeCount)).length === 0) return base;
  }
  return undefined;
}
