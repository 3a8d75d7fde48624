// The shape of the configuration file. `nodes` alone is enough; everything else has a default.
import { z } from "zod";
import { LOG_LEVELS } from "../platform/logger.ts";

const port = z
  .int("a port is a whole number of 1–65535")
  .min(1, "a port is a whole number of 1–65535")
  .max(65_535, "a port is a whole number of 1–65535");

const positive = (name: string) =>
  z.int(`${name} is a whole number above 0`).min(1, `${name} is a whole number above 0`);

const PUBLIC_URL = "public_url is an origin such as https://chat.example.org, without a path";

/** An origin in its usual form: what browsers send as `Origin`. */
const publicUrl = z
  .string(PUBLIC_URL)
  .max(255, PUBLIC_URL)
  .refine((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const isBare = url?.href === `${url?.origin}/` && !text.includes("?") && !text.includes("#");
    return isBare && /^https?:$/.test(url?.protocol ?? "");
  }, PUBLIC_URL)
  .transform((text) => new URL(text).origin);

const node = z.strictObject({
  id: positive("id").max(1_000_000, "id is at most 1000000"),
  host: z
    .string("host is a name or an address, as text")
    .min(1, "host is empty; write a name or an address such as 127.0.0.1")
    .max(253, "host is longer than a host name can be")
    .regex(/^[A-Za-z0-9._:-]+$/, "host is a bare name or address, without a port or brackets"),
  port,
  db_path: z.string("db_path is a path, as text").min(1, "db_path is empty; write a path"),
  /** Default: voter. A witness votes and keeps the log, has no chat and serves no clients. */
  role: z.enum(["voter", "witness"], "role is voter or witness").optional(),
  /** How much the server is preferred as leader; default 0, not more than others. */
  priority: z.int("priority is a whole number of 0–100").min(0).max(100).optional(),
  /** 0 = no HTTP. Default: port + 1000. */
  http_port: z.int().min(0, "http_port is 0 (none) or 1–65535").max(65_535).optional(),
  /** Where browsers reach the node, where that is not its HTTP port (behind a proxy); default `http(s)://host:http_port`. */
  public_url: publicUrl.optional(),
  /** The address to listen on, where that is not `host` (behind a NAT, or 0.0.0.0). */
  listen_host: z.string().min(1).max(253).optional(),
});

const limits = z.strictObject({
  connections_max: positive("connections_max").max(1_000_000).optional(),
  sessions_max: positive("sessions_max").max(1_000_000).optional(),
  pending_writes_max: positive("pending_writes_max").optional(),
  pending_reads_max: positive("pending_reads_max").optional(),
  log_cache_bytes_max: positive("log_cache_bytes_max").optional(),
  sends_per_second: positive("sends_per_second").optional(),
  sends_burst: positive("sends_burst").optional(),
  login_failures_max: positive("login_failures_max").optional(),
  login_pause_ms: positive("login_pause_ms").optional(),
  token_ttl_ms: positive("token_ttl_ms").optional(),
  disk_reserve_bytes: z.int().min(0).optional(),
});

const compaction = z.strictObject({
  log_entries_max: positive("log_entries_max").optional(),
  log_bytes_max: positive("log_bytes_max").optional(),
  log_tail_entries: positive("log_tail_entries").optional(),
  witness_log_bytes_max: positive("witness_log_bytes_max").optional(),
  copy_bytes_per_second: positive("copy_bytes_per_second")
    .min(64 * 1024)
    .optional(),
  copy_idle_ms: positive("copy_idle_ms").optional(),
});

/** With this section, a spare learner takes the place of a voter that has been dead for long. */
const autopilot = z.strictObject({
  dead_after_seconds: positive("dead_after_seconds").max(86_400).optional(),
  min_voters: positive("min_voters").max(64).optional(),
});

const timing = z.strictObject({
  tick_ms: positive("tick_ms").max(1_000).optional(),
  heartbeat_ms: positive("heartbeat_ms").max(10_000).optional(),
  election_ms: positive("election_ms").max(60_000).optional(),
});

const log = z.strictObject({
  level: z.enum(LOG_LEVELS, `level is one of ${LOG_LEVELS.join(", ")}`).optional(),
});

/** Where the certificates are; `{id}` in a path stands for the node's id. */
const tls = z.strictObject({
  dir: z.string().min(1, "dir is empty; write a folder").optional(),
  ca: z.string().min(1, "ca is empty; write a path").optional(),
  cert: z.string().min(1, "cert is empty; write a path").optional(),
  key: z.string().min(1, "key is empty; write a path").optional(),
});

export const fileSchema = z.strictObject({
  nodes: z
    .array(node, "nodes is a list of {id, host, port, db_path}")
    .min(1, "nodes is empty; list at least one {id, host, port, db_path}")
    .max(64, "more than 64 nodes"),
  /** Members of the cluster that this server joins; then `nodes` lists itself or is left out. */
  join: z
    .array(z.string("join is a list of host:port"), "join is a list of host:port")
    .min(1, "join is empty; list at least one member of the cluster")
    .max(64, "more than 64 addresses")
    .optional(),
  /** Folder that relative db_paths start from. Default: the folder of the file. */
  data_dir: z.string().min(1).optional(),
  /** Says in so many words that anybody who reaches the ports may listen in and speak (P10). */
  insecure: z.boolean("insecure is true or false").optional(),
  /** Default: the folder `certs` beside the file, if it holds `ca.crt`. */
  tls: tls.optional(),
  limits: limits.optional(),
  timing: timing.optional(),
  compaction: compaction.optional(),
  autopilot: autopilot.optional(),
  log: log.optional(),
});

export const joiningFileSchema = fileSchema.extend({ nodes: fileSchema.shape.nodes.optional() });

export type ConfigNode = z.infer<typeof node>;
export type ConfigFile = z.infer<typeof fileSchema>;
