// The process around a server: its command line, its signals, its last words.
import { resolve } from "node:path";
import { type PeerTransport, StartupError } from "@parley/node";
import { StorageError } from "@parley/store";
import { ExitCode } from "../cli/exit-codes.ts";
import { UsageError } from "../cli/usage-error.ts";
import { type ClusterConfig, joiningConfig, loadConfig, ownNode } from "../config/load.ts";
import { createLogger, type ProcessLogger } from "../platform/logger.ts";
import { CertificateError } from "../tls/reading.ts";
import { SecretError } from "./secrets.ts";
import { ListenError, ParleyServer } from "./server.ts";

export interface ServerCommandOptions {
  readonly id: number;
  readonly config?: string;
  /** Members of the cluster to join; then `data` is where this server keeps everything. */
  readonly join?: readonly string[];
  readonly data?: string;
  readonly insecure: boolean;
  /** This server joins as a witness. */
  readonly witness: boolean;
}

/** How long a stop may take to hand over and drain. */
const STOP_GRACE_MS = 3_000;
/** When even that hangs, the process ends anyway. */
const STOP_FORCED_MS = 6_000;
/** Signals this close together are one. */
const SAME_SIGNAL_MS = 500;

function lastWords(logger: ProcessLogger, error: unknown): void {
  const known =
    error instanceof StorageError ||
    error instanceof StartupError ||
    error instanceof ListenError ||
    error instanceof CertificateError ||
    error instanceof SecretError;
  const message = error instanceof Error ? error.message : String(error);
  // A stack helps only where the failure is a surprise.
  const stack = !known && error instanceof Error ? { stack: error.stack } : {};
  const name = error instanceof Error ? error.name : "Error";
  logger.fatal({ event: "fatal", error: name, ...stack }, message);
}

function configOf({ config, join, data, insecure }: ServerCommandOptions): ClusterConfig {
  if (config !== undefined) {
    const loaded = loadConfig(resolve(config), { insecure });
    const dataFolder = data === undefined ? loaded.dataFolder : resolve(data);
    return join === undefined ? { ...loaded, dataFolder } : { ...loaded, join, dataFolder };
  }
  if (join === undefined || data === undefined) {
    throw new UsageError(
      "Name the cluster: --config FILE, or --join host:port,… with --data FOLDER for a server that joins one.",
    );
  }
  return joiningConfig(join, resolve(data), { insecure });
}

function exitCodeOf(error: unknown): number {
  if (error instanceof ListenError) return ExitCode.addressInUse;
  return error instanceof CertificateError || error instanceof SecretError
    ? ExitCode.usage
    : ExitCode.failure;
}

/** Runs until a signal or a fatal error ends the process. `around`: what the node's links to its peers go through. */
export async function runServer(
  options: ServerCommandOptions,
  around?: (own: PeerTransport) => PeerTransport,
): Promise<void> {
  const config = configOf(options);
  const own = ownNode(config, options.id);
  if (own === undefined) {
    const ids = config.nodes.map((node) => node.id).join(", ");
    throw new UsageError(`${options.config} has no node ${options.id}; its nodes are ${ids}.`);
  }
  if (options.witness && config.join.length === 0) {
    throw new UsageError(
      "--witness is for a server that joins; for the first nodes of a cluster write `role: witness` in the file, the same for all.",
    );
  }
  const self = options.witness ? { ...own, isWitness: true } : own;
  const logger = createLogger(config.logLevel, { node: self.id });
  let ending = false;
  const die = (error: unknown) => {
    if (ending) return;
    ending = true;
    lastWords(logger, error);
    process.exit(exitCodeOf(error));
  };
  process.on("uncaughtException", die);
  process.on("unhandledRejection", die);
  let server: ParleyServer;
  try {
    server = new ParleyServer({ config, self, logger, onFatal: die, around });
  } catch (error) {
    die(error);
    return;
  }
  let askedAtMs = 0;
  const stop = (why: string) => {
    // Asked again, a person means it; but one Ctrl-C may come twice, from the terminal and from npm.
    const again = ending && performance.now() - askedAtMs > SAME_SIGNAL_MS;
    if (again) process.exit(ExitCode.failure);
    if (ending) return;
    ending = true;
    askedAtMs = performance.now();
    logger.info({ event: "signal", why }, `asked to stop: ${why}`);
    const forced = setTimeout(() => {
      logger.fatal({ event: "fatal" }, "the stop took too long; ended without finishing it");
      process.exit(ExitCode.failure);
    }, STOP_FORCED_MS);
    server.stop(STOP_GRACE_MS).then(
      () => {
        clearTimeout(forced);
        logger.info({ event: "stopped" }, "stopped");
        logger.flush();
        process.exit(ExitCode.ok);
      },
      (error: unknown) => {
        lastWords(logger, error);
        process.exit(ExitCode.failure);
      },
    );
  };
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT"));
  process.on("SIGHUP", () => stop("SIGHUP"));
  // Under a supervisor: when it is gone, nobody would ever stop this process.
  process.on("disconnect", () => stop("the supervisor is gone"));
  try {
    await server.start();
  } catch (error) {
    die(error);
  }
  await new Promise<never>(() => {});
}
