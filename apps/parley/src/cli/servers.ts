// Which servers a command talks to.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { clusterFilePath, readClusterFile } from "../dev/cluster-file.ts";
import { DEFAULT_BASE_PORT, grpcPort, HOST } from "../dev/ports.ts";

const DEFAULT_NODES = 5;
const DEV_FOLDER = ".parley";

/** The dev cluster's data folder at or above `folder`, as `git` finds its repository. */
export function devFolderAbove(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const candidate = join(at, DEV_FOLDER);
    if (existsSync(clusterFilePath(candidate))) return candidate;
    if (dirname(at) === at) return undefined;
  }
}

/**
 * host:port of nodes, first match: what was given, PARLEY_SERVER, the dev cluster at or above the
 * current folder, the ports that a dev cluster has by default.
 */
export function resolveServers(
  given: readonly string[] | undefined,
  environment: NodeJS.ProcessEnv = process.env,
  folder = process.cwd(),
): readonly string[] {
  if (given !== undefined) return given;
  const fromEnvironment = environment.PARLEY_SERVER;
  if (fromEnvironment !== undefined && fromEnvironment !== "") {
    return fromEnvironment.split(",").map((one) => one.trim());
  }
  const devFolder = devFolderAbove(folder);
  const listed = devFolder === undefined ? undefined : readClusterFile(devFolder)?.nodes;
  // Witnesses have nothing to say of the chat.
  const nodes = listed?.filter(({ role }) => role !== "witness");
  if (nodes !== undefined && nodes.length > 0) return nodes.map((node) => node.grpc);
  const ids = Array.from({ length: DEFAULT_NODES }, (_, at) => at + 1);
  return ids.map((id) => `${HOST}:${grpcPort(DEFAULT_BASE_PORT, id)}`);
}
