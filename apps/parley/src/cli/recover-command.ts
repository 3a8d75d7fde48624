// `recover`: a new cluster from one survivor's disk, when the majority is gone for good.
import { randomUUID } from "node:crypto";
import { BootstrapRecord, MemberRole } from "@parley/protocol";
import { type DiskSurvey, recoverNode, surveyDisk } from "@parley/store";
import type { Command } from "commander";
import { loadConfig } from "../config/load.ts";
import { wholeNumber } from "./arguments.ts";
import { formatAge } from "./format.ts";
import { ask, isInteractive } from "./prompt.ts";
import { UsageError } from "./usage-error.ts";

interface RecoverFlags {
  readonly config: string;
  readonly id: number;
  readonly yes: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly insecure: boolean;
}

/** A cluster's first member. */
const RAFT_ID = 1;

interface Known {
  readonly nodeId: number;
  readonly clusterId: string;
  /** Node ids, as of what is applied. */
  readonly voters: readonly number[];
}

function knownOf({ identity, membership }: DiskSurvey, dbPath: string): Known {
  if (identity?.bootstrap === undefined) {
    throw new UsageError(`${dbPath} never belonged to a cluster: there is nothing to recover.`);
  }
  const { clusterId, members, self } = BootstrapRecord.decode(identity.bootstrap);
  const own = self ?? members.find(({ serverUuid }) => serverUuid === identity.serverUuid);
  const servers = membership?.servers ?? members;
  const voters = servers
    .filter(({ raftId }) => membership?.voters.includes(raftId) ?? true)
    .map(({ nodeId }) => nodeId);
  return {
    nodeId: own?.nodeId ?? 0,
    clusterId,
    voters: [...new Set(voters)].sort((a, b) => a - b),
  };
}

function surveyLines(survey: DiskSurvey, { nodeId, clusterId, voters }: Known): readonly string[] {
  const { lastIndex, lastTerm, hardState, newestMs } = survey;
  const majority = Math.floor(voters.length / 2) + 1;
  const newest =
    newestMs === 0
      ? "nothing was ever written"
      : `the newest change is of ${new Date(newestMs).toISOString()}, ${formatAge(Date.now() - newestMs)} ago`;
  return [
    `n${nodeId}'s disk, of cluster ${clusterId}`,
    `  voters ${voters.map((id) => `n${id}`).join(", ")}: any ${majority} of them that come back are enough, and lose nothing`,
    `  log up to index ${lastIndex} of term ${lastTerm}; ${newest}`,
    `  it has heard that everything up to index ${Math.max(hardState.commit, survey.appliedIndex)} was acknowledged`,
    "",
    `Everything up to index ${lastIndex} becomes the chat of a new cluster, acknowledged or not.`,
    "Lost is what the others acknowledged without this server: what was sent after the newest change that it has, and",
    "whatever it missed if it was cut off or behind. This disk can't know how much that is. If another disk survived, look at it",
    "with --dry-run as well, and take the one whose log has the higher term, and of equal terms the higher index.",
    "The new cluster has another id. The old servers can't come back into it as themselves: empty their disks and add them.",
  ];
}

async function confirm(clusterId: string): Promise<void> {
  if (!isInteractive()) throw new UsageError("Say --yes to make the new cluster.");
  const typed = await ask("\nType the old cluster's id to go on: ");
  if (typed !== clusterId) throw new UsageError("Nothing was made.");
}

async function recover(dbPath: string, flags: RecoverFlags): Promise<void> {
  const { nodes } = loadConfig(flags.config, { insecure: flags.insecure });
  const node = nodes.find(({ id }) => id === flags.id);
  if (node === undefined) throw new UsageError(`${flags.config} has no node ${flags.id}.`);
  if (node.isWitness) throw new UsageError(`Node ${flags.id} is a witness, which has no chat.`);
  const survey = surveyDisk(dbPath);
  const known = knownOf(survey, dbPath);
  if (!flags.json) process.stderr.write(`${surveyLines(survey, known).join("\n")}\n`);
  const clusterId = randomUUID();
  if (!flags.dryRun) {
    if (!flags.yes) await confirm(known.clusterId);
    const serverUuid = randomUUID();
    const record: BootstrapRecord = {
      clusterId,
      configHash: "",
      members: [
        {
          nodeId: node.id,
          raftId: RAFT_ID,
          serverUuid,
          address: node.address,
          httpAddress: node.httpAddress,
          role: MemberRole.MEMBER_ROLE_VOTER,
        },
      ],
      self: undefined,
      // Who owns the chat does so already; where nobody does yet, the first account of the new cluster will.
      setupTokenHash: new Uint8Array(0),
    };
    const bootstrap = BootstrapRecord.encode(record).finish();
    recoverNode(dbPath, node.dbPath, { serverUuid, bootstrap });
  }
  if (flags.json) {
    process.stdout.write(
      `${JSON.stringify({
        old_cluster_id: known.clusterId,
        node_id: known.nodeId,
        voters: known.voters,
        last_index: survey.lastIndex,
        last_term: survey.lastTerm,
        commit_index: Math.max(survey.hardState.commit, survey.appliedIndex),
        newest_change_ms: survey.newestMs,
        cluster_id: flags.dryRun ? null : clusterId,
      })}\n`,
    );
  } else if (!flags.dryRun) {
    process.stdout.write(
      [
        `made cluster ${clusterId} of n${node.id} alone, in ${node.dbPath}`,
        `Start it: parley server --id ${node.id} --config ${flags.config}`,
        `Then bring in the others, each with an empty disk: parley server --id N --join ${node.address} --data DIR,`,
        `and parley add-server ${node.address} N HOST:PORT. Clients fetch their history anew; what waits in their outboxes is sent.`,
        "",
      ].join("\n"),
    );
  }
}

export function addRecoverCommand(program: Command): void {
  program
    .command("recover")
    .description("make a new cluster from one survivor's disk, when the majority is gone for good")
    .argument("<db-path>", "of the stopped server; it is only read")
    .requiredOption(
      "--config <file>",
      "the YAML file that lists the new cluster's first node, with an empty db_path",
    )
    .requiredOption("--id <n>", "which of its nodes that is", wholeNumber(1, 1_000_000))
    .option("--dry-run", "only say what the disk has, and what may be lost", false)
    .option("--yes", "don't ask", false)
    .option("--json", "print JSON", false)
    .option("--insecure", "as for `parley server`", false)
    .action(recover);
}
