// Reads the YAML file into what a server is started with. Every mistake is told with its line.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type ConfiguredNode, DEFAULT_TUNING, type NodeTuning } from "@parley/node";
import { isMap, isScalar, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import type { LogLevel } from "../platform/logger.ts";
import type { TlsFiles } from "../tls/reading.ts";
import { formatAddress, isLoopback, parseAddress } from "./addresses.ts";
import { ConfigError, type ConfigProblem } from "./config-error.ts";
import { type ConfigFile, type ConfigNode, fileSchema, joiningFileSchema } from "./schema.ts";

/** A node without `http_port` serves HTTP this far above its gRPC port. */
export const HTTP_PORT_OFFSET = 1_000;
/** A configuration larger than this is a mistake (P11). */
const FILE_BYTES_MAX = 1024 * 1024;
const PROBLEMS_SHOWN_MAX = 20;
/** Longer than a server takes to be started again. */
const AUTOPILOT_DEAD_SECONDS = 60;

export interface ServerNode extends ConfiguredNode {
  /** As others reach it. */
  readonly host: string;
  /** Where this node itself listens, which may differ from the address that others dial. */
  readonly listenHost: string;
  readonly port: number;
  /** 0 = no HTTP. */
  readonly httpPort: number;
  readonly isWitness: boolean;
  readonly priority: number;
  /** Absolute. */
  readonly dbPath: string;
}

export interface ClusterConfig {
  readonly nodes: readonly ServerNode[];
  /** Addresses of members of the cluster that a server joins; empty = `nodes` make one together. */
  readonly join: readonly string[];
  /** Absolute: where a server that joins without an entry in `nodes` keeps its data. */
  readonly dataFolder: string;
  readonly insecure: boolean;
  /** Undefined: plain text. The files of the other nodes are on other machines. */
  readonly tls: { filesOf(nodeId: number): TlsFiles } | undefined;
  readonly tuning: NodeTuning;
  readonly connectionsMax: number;
  readonly logLevel: LogLevel;
}

export const CONNECTIONS_MAX_DEFAULT = 20_000;

type Path = readonly PropertyKey[];

/** Where things stand in the parsed document. */
class Source {
  readonly #file: string;
  readonly #lines = new LineCounter();
  readonly #document: ReturnType<typeof parseDocument>;
  readonly problems: ConfigProblem[] = [];

  constructor(file: string, text: string) {
    this.#file = file;
    this.#document = parseDocument(text, { lineCounter: this.#lines });
    for (const error of this.#document.errors) {
      this.#add(error.pos[0], error.message.split("\n")[0] ?? "is not YAML");
    }
  }

  toValue(): unknown {
    this.throwProblems();
    return this.#document.toJS({ maxAliasCount: 100 });
  }

  #add(offset: number | undefined, message: string): void {
    const place = offset === undefined ? undefined : this.#lines.linePos(offset);
    this.problems.push({ line: place?.line, column: place?.col, message });
  }

  /** The place of the value at `path`, or of the nearest thing around it that exists. */
  #offsetOf(path: Path): number | undefined {
    for (let length = path.length; length >= 0; length -= 1) {
      const found: unknown = this.#document.getIn(path.slice(0, length), true);
      const range = isNode(found) ? found.range : undefined;
      if (range !== undefined && range !== null) return range[0];
    }
    return undefined;
  }

  #offsetOfKey(path: Path, key: string): number | undefined {
    const found: unknown =
      path.length === 0 ? this.#document.contents : this.#document.getIn(path, true);
    if (!isMap(found)) return this.#offsetOf(path);
    for (const pair of found.items) {
      if (isScalar(pair.key) && pair.key.value === key) return pair.key.range?.[0];
    }
    return this.#offsetOf(path);
  }

  problemAt(path: Path, message: string): void {
    this.#add(this.#offsetOf(path), message);
  }

  problemAtKey(path: Path, key: string, message: string): void {
    this.#add(this.#offsetOfKey(path, key), message);
  }

  throwProblems(): void {
    if (this.problems.length === 0) return;
    throw new ConfigError(this.#file, this.problems.slice(0, PROBLEMS_SHOWN_MAX));
  }
}

function isNode(value: unknown): value is { range?: readonly [number, number, number] | null } {
  return typeof value === "object" && value !== null && "range" in value;
}

function nameOf(path: Path): string {
  let name = "";
  for (const part of path) {
    if (typeof part === "number") name += `[${part}]`;
    else name += name === "" ? String(part) : `.${String(part)}`;
  }
  return name === "" ? "the file" : name;
}

function report(source: Source, issue: z.core.$ZodIssue): void {
  if (issue.code === "unrecognized_keys") {
    for (const key of issue.keys) {
      const message = `"${key}" is not a setting of ${nameOf(issue.path)}; remove it or correct its name`;
      source.problemAtKey(issue.path, key, message);
    }
    return;
  }
  const missing = issue.code === "invalid_type" && issue.input === undefined;
  const last = issue.path.at(-1);
  if (missing && last !== undefined) {
    const owner = nameOf(issue.path.slice(0, -1));
    source.problemAt(issue.path, `${owner} has no "${String(last)}"; add it`);
    return;
  }
  source.problemAt(issue.path, `${nameOf(issue.path)}: ${issue.message}`);
}

/** Two things that cannot both listen in one place, or two nodes that would share an id or a file. */
function checkUnique(source: Source, file: ConfigFile, nodes: readonly ServerNode[]): void {
  const taken = new Map<string, string>();
  const claim = (key: string, owner: string, path: Path, message: string) => {
    const other = taken.get(key);
    if (other === undefined) taken.set(key, owner);
    else source.problemAt(path, message.replace("%s", other));
  };
  nodes.forEach((node, at) => {
    const owner = `node ${node.id}`;
    claim(
      `id ${node.id}`,
      owner,
      ["nodes", at, "id"],
      `id ${node.id} is used twice; ids are unique`,
    );
    const grpc = formatAddress({ host: node.listenHost, port: node.port });
    claim(
      grpc,
      `the gRPC port of ${owner}`,
      ["nodes", at, "port"],
      `${grpc} is also %s; choose another port`,
    );
    const file_ = `db_path ${node.dbPath}`;
    const sameMachine = `${file_} on ${node.listenHost}`;
    claim(
      sameMachine,
      owner,
      ["nodes", at, "db_path"],
      `${file_} is also the db_path of %s; every node needs its own`,
    );
  });
  nodes.forEach((node, at) => {
    if (node.httpPort === 0) return;
    const http = formatAddress({ host: node.listenHost, port: node.httpPort });
    const explicit = file.nodes[at]?.http_port !== undefined;
    const path = ["nodes", at, explicit ? "http_port" : "port"];
    const why = explicit ? "" : ` (by default the gRPC port + ${HTTP_PORT_OFFSET})`;
    claim(
      http,
      `the HTTP port of node ${node.id}`,
      path,
      `the HTTP port${why} ${http} is also %s; set http_port`,
    );
  });
}

/** A cluster whose data nodes are all dead could do nothing with its majority. */
function checkWitnesses(source: Source, nodes: readonly ServerNode[]): void {
  const witnesses = nodes.filter(({ isWitness }) => isWitness).length;
  const dataNodes = nodes.length - witnesses;
  if (witnesses === 0 || witnesses < dataNodes) return;
  source.problemAt(
    ["nodes", nodes.findIndex(({ isWitness }) => isWitness), "role"],
    `${witnesses} witnesses and ${dataNodes} other nodes: witnesses keep no messages, so there must be fewer of them ` +
      "than of other nodes (three nodes and two witnesses are a good choice)",
  );
}

/** Beside the configuration, so that a file with nothing but `nodes` finds its certificates. */
export const CERTS_FOLDER = "certs";
export const CA_FILE = "ca.crt";

/** From the section `tls`, or because certificates lie where they are looked for. */
function tlsOf(source: Source, file: ConfigFile, folder: string, insecure: boolean) {
  if (insecure) {
    if (file.tls === undefined) return undefined;
    const message =
      "tls says how connections are encrypted, and insecure that they are not; remove one of them";
    source.problemAtKey([], "tls", message);
    return undefined;
  }
  const certs = resolve(folder, file.tls?.dir ?? CERTS_FOLDER);
  if (file.tls === undefined && !existsSync(join(certs, CA_FILE))) return undefined;
  const { ca = join(certs, CA_FILE) } = file.tls ?? {};
  const { cert = join(certs, "node-{id}.crt"), key = join(certs, "node-{id}.key") } =
    file.tls ?? {};
  return {
    filesOf: (nodeId: number): TlsFiles => {
      const at = (path: string) => resolve(folder, path.replaceAll("{id}", String(nodeId)));
      return { ca: at(ca), cert: at(cert), key: at(key) };
    },
  };
}

/** P10: nothing listens beyond loopback without TLS unless the operator says so in so many words. */
function checkReach(source: Source, nodes: readonly ServerNode[], isClosed: boolean): void {
  if (isClosed) return;
  nodes.forEach((node, at) => {
    for (const [key, host] of [
      ["host", node.host],
      ["listen_host", node.listenHost],
    ] as const) {
      if (isLoopback(host)) continue;
      source.problemAt(
        ["nodes", at, key],
        `${host} can be reached from other machines, and there are no certificates to encrypt and authenticate the connections with; ` +
          `make them with \`parley certs\` (they are looked for in ${CERTS_FOLDER}/ beside this file), use 127.0.0.1, ` +
          "or accept plain text with `insecure: true` in this file or `--insecure` on the command line",
      );
      return;
    }
  });
}

function tuningOf(file: ConfigFile, source: Source): NodeTuning {
  const limits = file.limits ?? {};
  const timing = file.timing ?? {};
  const compaction = file.compaction ?? {};
  const base = DEFAULT_TUNING;
  const tickMs = timing.tick_ms ?? base.tickMs;
  const ticks = (ms: number | undefined, fallback: number) =>
    ms === undefined ? fallback : Math.max(1, Math.round(ms / tickMs));
  const heartbeatTicks = ticks(timing.heartbeat_ms, base.heartbeatTicks);
  const electionTicks = ticks(timing.election_ms, base.electionTicks);
  if (electionTicks < 3 * heartbeatTicks) {
    source.problemAt(
      ["timing"],
      `the election timeout (${electionTicks * tickMs} ms) is less than three heartbeats (${heartbeatTicks * tickMs} ms each); ` +
        "a single late heartbeat would unseat the leader: raise election_ms",
    );
  }
  return {
    ...base,
    tickMs,
    heartbeatTicks,
    electionTicks,
    pendingWritesMax: limits.pending_writes_max ?? base.pendingWritesMax,
    pendingReadsMax: limits.pending_reads_max ?? base.pendingReadsMax,
    logCacheBytesMax: limits.log_cache_bytes_max ?? base.logCacheBytesMax,
    sendsPerSecond: limits.sends_per_second ?? base.sendsPerSecond,
    sendsBurst: limits.sends_burst ?? base.sendsBurst,
    loginFailuresMax: limits.login_failures_max ?? base.loginFailuresMax,
    loginPauseMs: limits.login_pause_ms ?? base.loginPauseMs,
    sessionsMax: limits.sessions_max ?? base.sessionsMax,
    tokenTtlMs: limits.token_ttl_ms ?? base.tokenTtlMs,
    logEntriesMax: compaction.log_entries_max ?? base.logEntriesMax,
    logBytesMax: compaction.log_bytes_max ?? base.logBytesMax,
    logTailEntries: compaction.log_tail_entries ?? base.logTailEntries,
    witnessLogBytesMax: compaction.witness_log_bytes_max ?? base.witnessLogBytesMax,
    copyBytesPerSecond: compaction.copy_bytes_per_second ?? base.copyBytesPerSecond,
    copyIdleMs: compaction.copy_idle_ms ?? base.copyIdleMs,
    diskReserveBytes: limits.disk_reserve_bytes ?? base.diskReserveBytes,
    autopilotDeadMs:
      file.autopilot === undefined
        ? base.autopilotDeadMs
        : 1_000 * (file.autopilot.dead_after_seconds ?? AUTOPILOT_DEAD_SECONDS),
    autopilotVotersMin: file.autopilot?.min_voters ?? base.autopilotVotersMin,
  };
}

function isJoining(value: unknown): boolean {
  return typeof value === "object" && value !== null && "join" in value;
}

/** Where browsers reach a node: its public URL, else host:port. */
function httpAddressOf(node: ConfigNode, httpPort: number): string {
  if (httpPort === 0) return "";
  return node.public_url ?? formatAddress({ host: node.host, port: httpPort });
}

/** A page may only dial what is as secure as itself: all nodes have a public URL of one scheme, or none has. */
function checkPublicUrls(source: Source, file: ConfigFile): void {
  const nodes = (file.nodes ?? []).map((node, at) => ({ ...node, at }));
  const served = nodes.filter(({ http_port, role }) => http_port !== 0 && role !== "witness");
  const first = served.find(({ public_url }) => public_url !== undefined);
  if (first === undefined) return;
  const scheme = (url = "") => new URL(url).protocol;
  for (const { id, public_url, at } of served) {
    if (public_url === undefined) {
      const message = `node ${id} has no public_url, and node ${first.id} has one; give one to all nodes, or to none`;
      source.problemAt(["nodes", at], message);
    } else if (scheme(public_url) !== scheme(first.public_url)) {
      const message = `${public_url} and ${first.public_url} differ in https; a page reaches only nodes like the one that served it`;
      source.problemAt(["nodes", at, "public_url"], message);
    }
  }
}

/** Where a node without `http_port` serves HTTP. */
export function defaultHttpPort(port: number): number {
  return port + HTTP_PORT_OFFSET <= 65_535 ? port + HTTP_PORT_OFFSET : port - HTTP_PORT_OFFSET;
}

export interface ParseOptions {
  /** As `insecure: true` in the file. */
  readonly insecure?: boolean;
  /** Read for its nodes alone, to make the certificates that it will need. */
  readonly forCertificates?: boolean;
}

/**
 * The configuration in `text`. `file` is its path, for messages and for relative paths in it.
 * Throws a ConfigError that lists what is wrong, with lines and columns.
 */
export function parseConfig(file: string, text: string, options: ParseOptions = {}): ClusterConfig {
  const source = new Source(file, text);
  const value = source.toValue();
  const schema = isJoining(value) ? joiningFileSchema : fileSchema;
  const checked = schema.safeParse(value ?? {}, { reportInput: true });
  if (!checked.success) {
    for (const issue of checked.error.issues) report(source, issue);
    source.throwProblems();
    throw new Error("a configuration that failed its check without a reason");
  }
  const parsed: ConfigFile = { ...checked.data, nodes: checked.data.nodes ?? [] };
  const folder = resolve(dirname(file), parsed.data_dir ?? ".");
  const insecure = parsed.insecure === true || options.insecure === true;
  const nodes = parsed.nodes.map((node): ServerNode => {
    const httpPort = node.http_port ?? defaultHttpPort(node.port);
    return {
      id: node.id,
      host: node.host,
      address: formatAddress(node),
      httpAddress: httpAddressOf(node, httpPort),
      listenHost: node.listen_host ?? node.host,
      port: node.port,
      httpPort,
      isWitness: node.role === "witness",
      priority: node.priority ?? 0,
      dbPath: resolve(folder, node.db_path),
    };
  });
  (parsed.join ?? []).forEach((address, at) => {
    if (parseAddress(address) !== undefined) return;
    source.problemAt(
      ["join", at],
      `"${address}" is not host:port; name members of the cluster to join`,
    );
  });
  checkUnique(source, parsed, nodes);
  checkPublicUrls(source, parsed);
  // A server that joins lists itself alone.
  if (parsed.join === undefined) checkWitnesses(source, nodes);
  const tls = tlsOf(source, parsed, dirname(file), insecure);
  const isClosed = tls !== undefined || options.forCertificates === true;
  checkReach(source, nodes, insecure || isClosed);
  const tuning = tuningOf(parsed, source);
  source.throwProblems();
  return {
    nodes,
    join: parsed.join ?? [],
    dataFolder: folder,
    insecure,
    tls,
    tuning,
    connectionsMax: parsed.limits?.connections_max ?? CONNECTIONS_MAX_DEFAULT,
    logLevel: parsed.log?.level ?? "info",
  };
}

/** For a server that knows nothing but whom to ask; everything else has its default. */
export function joiningConfig(
  join: readonly string[],
  dataFolder: string,
  options: ParseOptions = {},
): ClusterConfig {
  const text = JSON.stringify({ join, data_dir: dataFolder });
  return parseConfig(resolve(dataFolder, "(command line)"), text, options);
}

/** This server's entry; one that joins may have none, and is told by its cluster where to listen. */
export function ownNode(config: ClusterConfig, id: number): ServerNode | undefined {
  const own = config.nodes.find((node) => node.id === id);
  if (own !== undefined || config.join.length === 0) return own;
  return {
    id,
    host: "",
    address: "",
    httpAddress: "",
    listenHost: "",
    port: 0,
    httpPort: 0,
    isWitness: false,
    priority: 0,
    dbPath: resolve(config.dataFolder, "parley.db"),
  };
}

/** Reads and parses a file; a file that cannot be read is a ConfigError too. */
export function loadConfig(file: string, options: ParseOptions = {}): ClusterConfig {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `cannot be read (${why}); name the file with --config`;
    throw new ConfigError(file, [{ line: undefined, column: undefined, message }]);
  }
  if (text.length > FILE_BYTES_MAX) {
    const message = `is larger than ${FILE_BYTES_MAX} bytes, which no configuration is`;
    throw new ConfigError(file, [{ line: undefined, column: undefined, message }]);
  }
  return parseConfig(file, text, options);
}
