// `backup`, `restore`, `verify`.
import { closeSync, openSync, writeSync } from "node:fs";
import { Metadata, type ServiceError } from "@grpc/grpc-js";
import { channelSecurity, hostOf } from "@parley/client/grpc";
import {
  type BackupHead,
  type BackupResponse,
  type Member,
  MemberRole,
  ParleyError,
} from "@parley/protocol";
import { ClusterClient } from "@parley/protocol/services";
import { restoreNode, restoreWitness } from "@parley/store";
import type { Command } from "commander";
import { loadConfig } from "../config/load.ts";
import { wholeNumber } from "./arguments.ts";
import { BackupError, BackupWriter, readBackup, verifyBackup } from "./backup-file.ts";
import { askStateHash, errorOf } from "./cluster-client.ts";
import { type Asked, asked, bestStatus } from "./cluster-commands.ts";
import { addServerOptions, output } from "./common-options.ts";
import type { CommonFlags } from "./connection.ts";
import { UsageError } from "./usage-error.ts";

/** The state hash is kept for revisions that this divides. */
const HASH_INTERVAL = 256;
const ATTEMPTS_MAX = 20;
const PAUSE_MS = 200;

/** Streams a backup of one node into a file. Rejects, and leaves nothing behind, when it does not come whole. */
function fetchBackup(address: string, { token, trust }: Asked, path: string): Promise<BackupHead> {
  const { credentials, options } = channelSecurity(hostOf(address), trust?.tls);
  const client = new ClusterClient(address, credentials, options);
  const metadata = new Metadata();
  if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
  let head: BackupHead | undefined;
  let writer: BackupWriter | undefined;
  return new Promise<BackupHead>((resolve, reject) => {
    const call = client.backup({}, metadata);
    const fail = (cause: unknown) => {
      call.cancel();
      reject(cause);
    };
    call.on("data", (response: BackupResponse) => {
      try {
        if (response.head !== undefined) {
          head = response.head;
          writer = new BackupWriter(path, head);
        } else if (writer === undefined) {
          throw new BackupError("The server's answer does not begin as a backup does.");
        } else writer.add(response.data, response.crc32);
      } catch (cause) {
        fail(cause);
      }
    });
    call.on("error", (error: ServiceError) => fail(errorOf(error, address)));
    call.on("end", () => {
      try {
        if (head === undefined || writer === undefined) throw new BackupError("Nothing came.");
        writer.finish();
        resolve(head);
      } catch (cause) {
        fail(cause);
      }
    });
  })
    .finally(() => client.close())
    .catch((cause: unknown) => {
      writer?.abandon();
      throw cause;
    });
}

interface NodeHash {
  readonly node: number;
  readonly hash: string;
  /** With --deep: whether the tables give what was kept when they were written. */
  readonly isSound: boolean | undefined;
}

/** A revision that every node has, and whose hash every node still keeps. */
function commonRevision(members: readonly Member[]): number {
  const lowest = Math.min(...members.map((member) => member.appliedIndex));
  return Math.floor(lowest / HASH_INTERVAL) * HASH_INTERVAL;
}

/** A witness has none. */
function hasChat({ targetRole }: Member): boolean {
  return targetRole !== MemberRole.MEMBER_ROLE_WITNESS;
}

/** The hashes of all nodes at one revision, while they run. */
async function compareHashes(
  flags: CommonFlags,
  deep: boolean,
): Promise<{ readonly revision: number; readonly hashes: readonly NodeHash[] }> {
  const from = asked(flags);
  const options = { timeoutMs: flags.timeout * 1_000, token: from.token, tls: from.trust?.tls };
  for (let attempt = 1; ; attempt += 1) {
    const status = await bestStatus(from, options.timeoutMs);
    const members = status.members.filter(hasChat);
    const absent = members.filter((member) => !member.healthy);
    if (absent.length > 0) {
      const names = absent.map((member) => `n${member.id}`).join(", ");
      throw new ParleyError(
        "NOT_READY",
        `${names} can't be reached; all nodes must run to be compared.`,
      );
    }
    // Below the first round revision only the newest is kept, and a cluster at rest has one.
    const round = commonRevision(members);
    const revision = round > 0 ? round : Math.max(...members.map((member) => member.appliedIndex));
    try {
      const answers = members.map(async (member): Promise<NodeHash> => {
        const answer = await askStateHash(member.address, revision, options, deep);
        const isSound = deep ? answer.recomputedHash === answer.recomputedKeptHash : undefined;
        return { node: member.id, hash: answer.hash, isSound };
      });
      return { revision, hashes: await Promise.all(answers) };
    } catch (cause) {
      const isGone = cause instanceof ParleyError && cause.reason === "INVALID_ARGUMENT";
      if (!isGone || attempt >= ATTEMPTS_MAX) throw cause;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

interface RestoreFlags {
  readonly config: string;
  readonly id?: number;
  readonly insecure: boolean;
}

function restore(file: string, { config, id, insecure }: RestoreFlags): readonly string[] {
  const head = verifyBackup(file);
  const { nodes } = loadConfig(config, { insecure });
  const chosen = id === undefined ? nodes : nodes.filter((node) => node.id === id);
  if (chosen.length === 0) throw new UsageError(`${config} has no node ${id}.`);
  for (const { dbPath, isWitness } of chosen) {
    if (isWitness) {
      restoreWitness(dbPath, head);
      continue;
    }
    restoreNode(dbPath, head, (path) => {
      const fd = openSync(path, "w");
      try {
        readBackup(file, (bytes) => {
          for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
        });
      } finally {
        closeSync(fd);
      }
    });
  }
  const names = chosen.map((node) => `n${node.id}`).join(", ");
  const others = nodes.filter((node) => !chosen.includes(node)).map((node) => `n${node.id}`);
  return [
    `restored ${names} to revision ${head.revision}`,
    ...(others.length > 0
      ? [
          `Restore ${others.join(", ")} from the same file as well, where they run; then start them all.`,
        ]
      : [
          "Start them all: they become a new cluster with this chat. Clients fetch their history anew.",
        ]),
  ];
}

export function addBackupCommands(program: Command): void {
  addServerOptions(program.command("backup"))
    .description("save the whole chat to a file, from a running node")
    .argument("<file>", "where to")
    .action(async (file: string, flags: CommonFlags) => {
      const from = asked(flags);
      const { members, nodeId } = await bestStatus(from, flags.timeout * 1_000);
      // Any node will do; one that doesn't lead has more time.
      const healthy = members.filter((member) => member.healthy && hasChat(member));
      const source = healthy.find((member) => member.id !== nodeId) ?? healthy[0];
      if (source === undefined) throw new ParleyError("NOT_READY", "No node can be reached.");
      const head = await fetchBackup(source.address, from, file);
      const { revision, bytes, clusterId, stateHash } = head;
      output(
        flags.json,
        () =>
          JSON.stringify({ file, revision, bytes, cluster_id: clusterId, state_hash: stateHash }),
        () => [
          `${file}: everything up to revision ${revision}, ${bytes} bytes, from n${source.id}`,
        ],
      );
    });

  program
    .command("restore")
    .description("fill the empty data folders of a new cluster from a backup")
    .argument("<file>", "a file that `parley backup` wrote")
    .requiredOption("--config <file>", "the YAML file that lists the new cluster's nodes")
    .option("--id <n>", "only this node (default: all of them)", wholeNumber(1, 1_000_000))
    .option("--insecure", "as for `parley server`", false)
    .action((file: string, flags: RestoreFlags) => {
      for (const line of restore(file, flags)) process.stdout.write(`${line}\n`);
    });

  addServerOptions(program.command("verify"))
    .description("compare the state of all nodes at one revision, while they run")
    .option("--deep", "also compute it from each node's tables", false)
    .action(async (flags: CommonFlags & { readonly deep: boolean }) => {
      const { revision, hashes } = await compareHashes(flags, flags.deep);
      const isEqual = new Set(hashes.map(({ hash }) => hash)).size === 1;
      const damaged = hashes.filter(({ isSound }) => isSound === false);
      const isSound = isEqual && damaged.length === 0;
      output(
        flags.json,
        () => JSON.stringify({ revision, equal: isEqual, sound: isSound, nodes: hashes }),
        () => [
          ...hashes.map(({ node, hash, isSound: sound }) => {
            const tables =
              sound === undefined ? "" : sound ? "   tables: sound" : "   tables: DAMAGED";
            return `n${node}   ${hash}${tables}`;
          }),
          isEqual
            ? `all ${hashes.length} nodes hold the same state at revision ${revision}`
            : `the nodes DIFFER at revision ${revision}`,
        ],
      );
      if (!isSound) process.exitCode = 1;
    });
}
