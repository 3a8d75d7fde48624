// Whom a command trusts and as whom it comes: the cluster's authority and a certificate of one's own,
// from the flags, the environment, or found beside the configuration.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createSecureContext } from "node:tls";
import { hostOf, type TlsOptions } from "@parley/client/grpc";
import { ParleyError } from "@parley/protocol";
import { CA_FILE, CERTS_FOLDER, type ClusterConfig } from "../config/load.ts";
import { readClusterFile } from "../dev/cluster-file.ts";
import { codeOf, verdictText } from "../tls/caller.ts";
import { handshake } from "../tls/inspect.ts";
import { devFolderAbove } from "./servers.ts";
import { UsageError } from "./usage-error.ts";

export interface TrustFlags {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly insecure?: boolean;
}

export interface Trust {
  readonly tls: TlsOptions;
  /** For sentences. */
  readonly caFile: string;
}

const LOOK_TIMEOUT_MS = 2_000;
/** More servers are not looked at: they have the same authority. */
const SERVERS_LOOKED_AT_MAX = 8;

/** Empty variables are unset ones. */
function variable(environment: NodeJS.ProcessEnv, name: string): string | undefined {
  const value = environment[name];
  return value === "" ? undefined : value;
}

/** Beside the dev cluster's configuration when these are its servers, or beside the one in this folder. */
function foundAuthority(servers: readonly string[], folder: string): string | undefined {
  const devFolder = devFolderAbove(folder);
  if (devFolder !== undefined) {
    const ca = join(devFolder, CERTS_FOLDER, CA_FILE);
    const nodes = readClusterFile(devFolder)?.nodes ?? [];
    if (nodes.some((node) => servers.includes(node.grpc))) return existsSync(ca) ? ca : undefined;
  }
  const here = join(folder, CERTS_FOLDER, CA_FILE);
  return existsSync(here) ? here : undefined;
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`${file} cannot be read (${why}).`);
  }
}

/** Undefined: plain text. Throws a UsageError for files that cannot be used. */
export function resolveTrust(
  flags: TrustFlags,
  servers: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
  folder = process.cwd(),
): Trust | undefined {
  if (flags.insecure === true) return undefined;
  const given = flags.ca ?? variable(environment, "PARLEY_CA");
  const caFile = given ?? foundAuthority(servers, folder);
  const cert = flags.cert ?? variable(environment, "PARLEY_CERT");
  const key = flags.key ?? variable(environment, "PARLEY_KEY");
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError("A certificate and its key go together: give both --cert and --key.");
  }
  if (caFile === undefined) {
    if (cert === undefined) return undefined;
    throw new UsageError("Name the cluster's authority with --ca as well.");
  }
  const beside = (name: string) => {
    const path = join(dirname(caFile), name);
    return existsSync(path) ? path : undefined;
  };
  const own = cert ?? (beside("client.key") === undefined ? undefined : beside("client.crt"));
  const ownKey = key ?? beside("client.key");
  const tls: TlsOptions = {
    ca: read(caFile),
    ...(own === undefined || ownKey === undefined ? {} : { cert: read(own), key: read(ownKey) }),
  };
  try {
    createSecureContext({ ca: pem(tls.ca), cert: pem(tls.cert), key: pem(tls.key) });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(
      `The certificates (${[caFile, own, ownKey].filter(Boolean).join(", ")}) cannot be used: ${why}.`,
    );
  }
  return { tls, caFile };
}

/** As whoever has the configuration's certificates beside it, without a certificate of its own. */
export function tlsOfConfig(config: ClusterConfig): TlsOptions | undefined {
  const [node] = config.nodes;
  if (config.tls === undefined || node === undefined) return undefined;
  return { ca: read(config.tls.filesOf(node.id).ca) };
}

function pem(text: string | Uint8Array | undefined): Buffer | undefined {
  return text === undefined ? undefined : Buffer.from(text);
}

/** Why this server is not talked to; "" = it is fine; undefined = it does not answer. */
function distrustOfOne(address: string, trust: Trust | undefined): Promise<string | undefined> {
  const options = {
    servername: "",
    host: hostOf(address),
    ...(trust === undefined ? {} : { ca: pem(trust.tls.ca) }),
  };
  return handshake(address, options, LOOK_TIMEOUT_MS, (outcome) => {
    if (outcome.kind === "unreachable") return undefined;
    if (outcome.kind === "no-tls") {
      if (trust === undefined) return "";
      return (
        `${address} does not speak TLS, but ${trust.caFile} says that it should. ` +
        "Is it another cluster? To talk to it in plain text all the same, say --insecure."
      );
    }
    if (trust === undefined) {
      return `${address} speaks TLS: name the cluster's authority with --ca ca.crt (or in PARLEY_CA).`;
    }
    const certificate = outcome.socket.getPeerX509Certificate();
    if (certificate === undefined) return `${address} shows no certificate.`;
    const { authorized, authorizationError } = outcome.socket;
    if (authorized) return "";
    const code = codeOf(authorizationError);
    if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
      return (
        `The certificate of ${address} is not for ${hostOf(address)}: it names ${certificate.subjectAltName ?? "no host"}. ` +
        "Use one of those names, or make a certificate for this one with `parley certs node --host`."
      );
    }
    return `${address} is not trusted: ${verdictText(code, certificate)} (in ${trust.caFile}).`;
  });
}

/** When every server that answers is of the wrong kind: why. Undefined when one is fine, or none answers. */
export async function distrustOf(
  servers: readonly string[],
  trust: Trust | undefined,
): Promise<ParleyError | undefined> {
  const asked = servers.slice(0, SERVERS_LOOKED_AT_MAX);
  const answers = await Promise.all(asked.map((address) => distrustOfOne(address, trust)));
  const heard = answers.filter((answer) => answer !== undefined);
  const [first] = heard;
  if (first === undefined || heard.includes("")) return undefined;
  return new ParleyError("CERTIFICATE_REFUSED", first);
}
