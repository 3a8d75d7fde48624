// The cluster itself: `status`, `leader`.
import type { StatusResponse } from "@parley/protocol";
import { ParleyError } from "@parley/protocol";
import type { Command } from "commander";
import { askAnyStatus, askStatus } from "./cluster-client.ts";
import { addServerOptions, output } from "./common-options.ts";
import { type CommonFlags, savedSignIns } from "./connection.ts";
import { clusterJson } from "./json.ts";
import { resolveServers } from "./servers.ts";
import { statusLines } from "./status-table.ts";

const ATTEMPT_TIMEOUT_MS = 2_000;
const PAUSE_MS = 100;

export interface Asked {
  readonly servers: readonly string[];
  readonly token: string | undefined;
}

export function asked(flags: CommonFlags): Asked {
  const servers = resolveServers(flags.server);
  const token = process.env.PARLEY_TOKEN ?? savedSignIns().find(servers)?.token;
  return { servers, token };
}

/** The leader's own view where it can be had, since it knows most; else anybody's. */
export async function bestStatus(
  { servers, token }: Asked,
  timeoutMs: number,
): Promise<StatusResponse> {
  const options = { timeoutMs: Math.min(timeoutMs, ATTEMPT_TIMEOUT_MS), token };
  let status: StatusResponse;
  try {
    status = await askAnyStatus(servers, options);
  } catch (cause) {
    if (cause instanceof ParleyError) throw cause;
    throw new ParleyError(
      "NOT_READY",
      `No server answers at ${servers.join(", ")}. Is the cluster running? \`npm start\` runs one here; name others with --server host:port,…`,
    );
  }
  const leader = status.members.find((member) => member.id === status.leaderId);
  if (leader === undefined || status.nodeId === status.leaderId) return status;
  return await askStatus(leader.address, options).catch(() => status);
}

async function leaderStatus(from: Asked, timeoutMs: number): Promise<StatusResponse> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const status = await bestStatus(from, timeoutMs);
    if (status.leaderId !== 0 && status.hasQuorum) return status;
    if (performance.now() >= deadline) {
      throw new ParleyError("NO_QUORUM", "There is no leader: no majority of the servers answers.");
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

export function addClusterCommands(program: Command): void {
  addServerOptions(program.command("status"))
    .description("show each node's role, term, positions, address and health")
    .action(async (flags: CommonFlags) => {
      const status = await bestStatus(asked(flags), flags.timeout * 1_000);
      output(
        flags.json,
        () => clusterJson(status),
        () => statusLines(status),
      );
    });

  addServerOptions(program.command("leader"))
    .description("name the leader; waits for one until --timeout")
    .action(async (flags: CommonFlags) => {
      const status = await leaderStatus(asked(flags), flags.timeout * 1_000);
      const leader = status.members.find((member) => member.id === status.leaderId);
      output(
        flags.json,
        () =>
          JSON.stringify({
            leader_id: status.leaderId,
            term: status.term,
            address: leader?.address ?? "",
            http_address: leader?.httpAddress ?? "",
          }),
        () => [`n${status.leaderId} ${leader?.address ?? ""} (term ${status.term})`],
      );
    });
}
