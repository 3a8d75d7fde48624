// What a dev cluster keeps between runs: DIR/cluster.yaml, DIR/nX/, DIR/logs/.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../cli/usage-error.ts";
import { type ClusterConfig, loadConfig } from "../config/load.ts";
import { operatorToken, writeOperatorToken } from "../server/secrets.ts";
import { type ClusterFile, readClusterFile } from "./cluster-file.ts";
import {
  claimFreePorts,
  claimPorts,
  DEFAULT_BASE_PORT,
  grpcPort,
  HOST,
  httpPort,
  type PortClaim,
} from "./ports.ts";

export const NODES_DEFAULT = 5;

export function configPath(folder: string): string {
  return join(folder, "cluster.yaml");
}

export function logPath(folder: string, id: number): string {
  return join(folder, "logs", `n${id}.log`);
}

/** Removes what a dev cluster made, and nothing else that may lie there. */
export function eraseData(folder: string): void {
  const own = /^(n\d+|logs|cluster\.yaml|cluster\.json|operator\.token)$/;
  for (const name of readdirSync(folder)) {
    if (own.test(name)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

function existingConfig(folder: string): ClusterConfig | undefined {
  const path = configPath(folder);
  return existsSync(path) ? loadConfig(path) : undefined;
}

/** Sections below this line are the user's, and stay from run to run. */
const KEPT_BELOW = "# Settings below this line are kept.";

/** A server that was killed for longer gives its vote to a spare (`parley add-server … --learner`). */
const DEV_SETTINGS = "\nautopilot: {dead_after_seconds: 30}\n";

function keptSettings(folder: string): string {
  if (!existsSync(configPath(folder))) return "";
  const text = readFileSync(configPath(folder), "utf8");
  const at = text.indexOf(KEPT_BELOW);
  return at < 0 ? "" : text.slice(at + KEPT_BELOW.length);
}

function renderConfig(base: number, dataNodes: number, nodeCount: number, kept: string): string {
  const nodes = Array.from({ length: nodeCount }, (_, at) => at + 1).map((id) => {
    const role = id > dataNodes ? ", role: witness" : "";
    return `  - {id: ${id}, host: ${HOST}, port: ${grpcPort(base, id)}, db_path: n${id}/parley.db, http_port: ${httpPort(base, id)}${role}}`;
  });
  const settings = kept === "" ? DEV_SETTINGS : kept;
  return `# Written by \`parley dev\`.\nnodes:\n${nodes.join("\n")}\n${KEPT_BELOW}${settings}`;
}

export interface DataFolderOptions {
  /** Undefined: as before, or NODES_DEFAULT. */
  readonly nodes: number | undefined;
  /** Besides those; undefined: as before, or none. */
  readonly witnesses?: number | undefined;
  /** Undefined: as before, or the first range that is free. */
  readonly basePort: number | undefined;
}

async function choosePorts(
  options: DataFolderOptions,
  nodeCount: number,
  before: ClusterConfig | undefined,
): Promise<PortClaim> {
  if (options.basePort !== undefined) {
    const claim = await claimPorts(options.basePort, nodeCount);
    if ("base" in claim) return claim;
    throw new UsageError(
      `Ports ${claim.taken.join(", ")} are taken. Choose another --base-port, or leave it out to let one be found.`,
    );
  }
  const first = before?.nodes[0];
  const asBefore = first && (await claimPorts(first.port - first.id, nodeCount));
  if (asBefore !== undefined && "base" in asBefore) return asBefore;
  const found = await claimFreePorts(DEFAULT_BASE_PORT, nodeCount);
  if (found !== undefined) return found;
  throw new UsageError("No range of free ports was found; name one with --base-port.");
}

/** What a dev cluster runs on. */
export interface PreparedData {
  readonly config: ClusterConfig;
  /** To be released when the cluster has stopped. */
  readonly ports: PortClaim;
}

/** Writes DIR/cluster.yaml for this run. Throws a UsageError when what lies there does not fit. */
export async function prepareData(
  folder: string,
  options: DataFolderOptions,
): Promise<PreparedData> {
  const before = existingConfig(folder);
  const witnessesBefore = before?.nodes.filter(({ isWitness }) => isWitness).length ?? 0;
  const nodesBefore = before === undefined ? undefined : before.nodes.length - witnessesBefore;
  const dataNodes = options.nodes ?? nodesBefore ?? NODES_DEFAULT;
  const witnesses = options.witnesses ?? witnessesBefore;
  if (witnesses >= dataNodes) {
    throw new UsageError(
      `${countOf(dataNodes, witnesses)}: witnesses keep no messages, so there must be fewer of them. Try --nodes 3 --witnesses 2.`,
    );
  }
  const nodeCount = dataNodes + witnesses;
  if (nodesBefore !== undefined && (nodesBefore !== dataNodes || witnessesBefore !== witnesses)) {
    throw new UsageError(
      `${folder} holds a cluster of ${countOf(nodesBefore, witnessesBefore)}, not ${countOf(dataNodes, witnesses)}. Leave --nodes out to go on with it, ` +
        "start anew with --fresh (which erases its messages), or name another folder with --data.",
    );
  }
  const ports = await choosePorts(options, nodeCount, before);
  // One token for all of them, so that commands beside the folder are an operator's on every node.
  const token = operatorToken(folder);
  for (let id = 1; id <= nodeCount; id += 1) {
    mkdirSync(join(folder, `n${id}`), { recursive: true });
    writeOperatorToken(join(folder, `n${id}`), token);
  }
  const text = renderConfig(ports.base, dataNodes, nodeCount, keptSettings(folder));
  writeFileSync(configPath(folder), text);
  return { config: loadConfig(configPath(folder)), ports };
}

function countOf(nodes: number, witnesses: number): string {
  return witnesses === 0 ? `${nodes} nodes` : `${nodes} nodes and ${witnesses} witnesses`;
}

/** Whether `pid` is a server of this folder, and not another program that got the number since. */
function isOurs(pid: number, folder: string): boolean {
  try {
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return commandLine.includes("server") && commandLine.includes(configPath(folder));
  } catch {
    return false;
  }
}

const ORPHAN_GRACE_MS = 8_000;
const LOOK_EVERY_MS = 50;

/**
 * Servers outlive a supervisor that was killed by a moment only; waits for them, and kills those that cannot end by
 * themselves (paused ones). Two processes must never share a node's files.
 */
export async function waitForOrphans(folder: string): Promise<void> {
  const left: ClusterFile | undefined = readClusterFile(folder);
  const pids = (left?.nodes ?? []).flatMap(({ pid }) => (pid === null ? [] : [pid]));
  const deadline = performance.now() + ORPHAN_GRACE_MS;
  for (;;) {
    const alive = pids.filter((pid) => isOurs(pid, folder));
    if (alive.length === 0) return;
    if (performance.now() >= deadline) for (const pid of alive) process.kill(pid, "SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
