// `parley certs init | node | client`: what encrypts and authenticates a cluster (P10).
import { join, relative } from "node:path";
import { UsageError } from "../cli/usage-error.ts";
import { isLoopback } from "../config/addresses.ts";
import { CA_FILE, CERTS_FOLDER, loadConfig, type ServerNode } from "../config/load.ts";
import { NAME_PATTERN } from "../tls/certified-name.ts";
import { day } from "../tls/reading.ts";
import { loadAuthority, type Pair, pairIn, writeAuthority, writePair } from "./folder.ts";

/** An authority outlives what it signs; the others stay within what browsers take (825 days). */
const AUTHORITY_DAYS = 3_650;
export const CERTIFICATE_DAYS_DEFAULT = 800;

export interface CertsOptions {
  /** Where the files are; undefined = `certs` beside the configuration, or here. */
  readonly dir: string | undefined;
  readonly config: string | undefined;
}

function folderOf({ dir, config }: CertsOptions): string {
  return dir ?? (config === undefined ? CERTS_FOLDER : join(config, "..", CERTS_FOLDER));
}

/** As one would type it here. */
function shown(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith("..") ? path : near;
}

function validName(what: string, name: string): string {
  if (NAME_PATTERN.test(name)) return name;
  throw new UsageError(`${what} has up to 63 letters, digits, dots, dashes and underscores.`);
}

export interface Made {
  readonly files: readonly string[];
  readonly lines: readonly string[];
}

export async function makeInit(
  options: CertsOptions & { readonly cluster: string },
): Promise<Made> {
  const cluster = validName("The name of a cluster", options.cluster);
  const folder = folderOf(options);
  const { makeAuthority } = await import("./issue.ts");
  const paths = writeAuthority(folder, await makeAuthority(cluster, { days: AUTHORITY_DAYS }));
  const where = options.config === undefined ? "" : ` --config ${options.config}`;
  return {
    files: [paths.certificate, paths.key],
    lines: [
      `The cluster ${cluster} has an authority of its own:`,
      `  ${shown(paths.certificate)}   for everybody: every node and every client`,
      `  ${shown(paths.key)}   for you alone: whoever has it can make nodes and operators; keep it off the nodes`,
      "",
      "Next:",
      `  parley certs node${where === "" ? " --config config.yaml" : where}      a certificate for each node of the file`,
      `  parley certs client --operator${where}   one for yourself`,
      "",
      "So that a browser trusts the nodes, import ca.crt as an authority: in Firefox under Settings, Privacy & Security,",
      "View Certificates, Authorities; for Chrome and the system on Debian or Ubuntu:",
      `  sudo cp ${shown(paths.certificate)} /usr/local/share/ca-certificates/parley-${cluster}.crt && sudo update-ca-certificates`,
    ],
  };
}

interface Subject {
  readonly id: number;
  readonly hosts: readonly string[];
}

const EVERYWHERE: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

function subjectOf({ id, host, listenHost }: ServerNode): Subject {
  const hosts = [host, listenHost].filter((one) => !EVERYWHERE.has(one));
  return { id, hosts: [...new Set(hosts)] };
}

/** Each node of the file, or the named ones; without a file the hosts must be said. */
function subjects(options: CertsNodeOptions): readonly Subject[] {
  const { ids, hosts, config } = options;
  if (config === undefined) {
    if (ids.length !== 1 || hosts.length === 0) {
      throw new UsageError(
        "Name the configuration with --config, or one node and where clients reach it: parley certs node 3 --host 10.0.0.3",
      );
    }
    return ids.map((id) => ({ id, hosts }));
  }
  const { nodes } = loadConfig(config, { forCertificates: true });
  for (const id of ids) {
    if (nodes.some((node) => node.id === id)) continue;
    if (hosts.length > 0 && ids.length === 1) return [{ id, hosts }];
    throw new UsageError(`${config} has no node ${id}; say where clients reach it with --host.`);
  }
  const wanted = nodes.filter(({ id }) => ids.length === 0 || ids.includes(id));
  return wanted.map((node) => {
    const subject = subjectOf(node);
    return { ...subject, hosts: [...new Set([...subject.hosts, ...hosts])] };
  });
}

export interface CertsNodeOptions extends CertsOptions {
  readonly ids: readonly number[];
  readonly hosts: readonly string[];
  readonly days: number;
  readonly replace: boolean;
}

export async function makeNodes(options: CertsNodeOptions): Promise<Made> {
  const folder = folderOf(options);
  const authority = await loadAuthority(folder);
  const { issue } = await import("./issue.ts");
  const files: string[] = [];
  const lines: string[] = [];
  for (const { id, hosts } of subjects(options)) {
    // A node is also asked from its own machine.
    const names = [...hosts, "localhost", "127.0.0.1", "::1"];
    const issued = await issue(authority, { role: "node", name: String(id) }, names, options);
    const pair = writePair(folder, `node-${id}`, issued, options.replace);
    files.push(pair.certificate, pair.key);
    const reached = hosts.find((host) => !isLoopback(host));
    const where = reached === undefined ? "this machine" : `the machine of node ${id} (${reached})`;
    lines.push(
      `node ${id}, reached as ${hosts.join(", ")}, until ${until(options.days)}`,
      `  copy ${shown(pair.certificate)}, ${shown(pair.key)} and ${shown(join(folder, CA_FILE))}`,
      `  to ${CERTS_FOLDER}/ beside the configuration on ${where}`,
    );
  }
  lines.push(
    "",
    "A running node takes new files up within seconds; a restart is needed only to turn TLS on.",
  );
  return { files, lines };
}

function until(days: number): string {
  return day(new Date(Date.now() + days * 24 * 60 * 60_000));
}

export interface CertsClientOptions extends CertsOptions {
  readonly name: string | undefined;
  readonly operator: boolean;
  readonly days: number;
  readonly replace: boolean;
}

/** The pair that commands find by themselves. */
export function clientPair(folder: string): Pair {
  return pairIn(folder, "client");
}

export async function makeClient(options: CertsClientOptions): Promise<Made> {
  const folder = folderOf(options);
  const authority = await loadAuthority(folder);
  const role = options.operator ? "operator" : "client";
  const name = validName("A name", options.name ?? role);
  const file = options.name === undefined ? "client" : `client-${name}`;
  const { issue } = await import("./issue.ts");
  const issued = await issue(authority, { role, name }, [], options);
  const pair = writePair(folder, file, issued, options.replace);
  const [certificate, key, ca] = [
    shown(pair.certificate),
    shown(pair.key),
    shown(join(folder, CA_FILE)),
  ];
  const isFound = options.name === undefined;
  return {
    files: [pair.certificate, pair.key],
    lines: [
      options.operator
        ? `An operator's certificate for ${name}, until ${until(options.days)}: who has it may change the cluster.`
        : `A client's certificate for ${name}, until ${until(options.days)}. It names the machine or person; people still sign in.`,
      isFound
        ? `  Commands that run beside ${CERTS_FOLDER}/ find it by themselves; elsewhere say`
        : "  Use it with",
      `  parley status --server host:port --ca ${ca} --cert ${certificate} --key ${key}`,
      "  or set PARLEY_CA, PARLEY_CERT and PARLEY_KEY.",
    ],
  };
}
