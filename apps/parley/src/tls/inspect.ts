// Why a connection does not come about, asked by a handshake of its own: the sentence must not rest
// on the wording of another library's error message.
import { X509Certificate } from "node:crypto";
import { type ConnectionOptions, connect, type PeerCertificate, type TLSSocket } from "node:tls";
import { parseAddress } from "../config/addresses.ts";
import { codeOf, verdictText } from "./caller.ts";
import { certifiedNameOf, describeName } from "./certified-name.ts";
import type { NodeTls } from "./node-tls.ts";

/** Why a peer's certificate, which the authority has vouched for, is not that of node `nodeId` (0 = any). */
export function nodeMismatch(
  certificate: Pick<PeerCertificate, "raw">,
  cluster: string,
  nodeId: number,
): Error | undefined {
  const name = certifiedNameOf(new X509Certificate(certificate.raw));
  if (name?.role !== "node") {
    const whose = name === undefined ? "no node of a Parley cluster" : describeName(name);
    return new Error(`its certificate names ${whose}`);
  }
  if (name.cluster !== cluster) {
    return new Error(`its certificate is of cluster ${name.cluster}, and this is ${cluster}`);
  }
  if (nodeId === 0 || name.name === String(nodeId)) return undefined;
  return new Error(`its certificate is that of node ${name.name}`);
}

export type Handshake =
  | { readonly kind: "done"; readonly socket: TLSSocket }
  /** Something answers, but not in TLS. */
  | { readonly kind: "no-tls" }
  /** Nothing answers. */
  | { readonly kind: "unreachable" };

/** One handshake whose outcome `look` sees before it is closed. The other end's certificate is not judged. */
export function handshake<T>(
  address: string,
  options: ConnectionOptions,
  timeoutMs: number,
  look: (outcome: Handshake) => T,
): Promise<T> {
  const target = parseAddress(address);
  if (target === undefined) return Promise.resolve(look({ kind: "unreachable" }));
  return new Promise((resolve) => {
    const socket = connect({
      ...target,
      ALPNProtocols: ["h2"],
      ...options,
      rejectUnauthorized: false,
    });
    const finish = (outcome: Handshake) => {
      clearTimeout(timer);
      resolve(look(outcome));
      socket.destroy();
    };
    const timer = setTimeout(() => finish({ kind: "unreachable" }), timeoutMs);
    socket.once("secureConnect", () => finish({ kind: "done", socket }));
    socket.on("error", (error) => {
      // An answer that is not TLS, or an alert; a reset may as well be a process that died just now.
      finish({ kind: codeOf(error).startsWith("ERR_SSL_") ? "no-tls" : "unreachable" });
    });
    socket.once("close", () => finish({ kind: "unreachable" }));
  });
}

/** Why the node at `address` is not spoken to; undefined when TLS is not what keeps it. */
export function inspectNode(
  { address, nodeId }: { readonly address: string; readonly nodeId: number },
  tls: NodeTls,
  timeoutMs: number,
): Promise<string | undefined> {
  // Peers are not known by their hosts.
  const options = { secureContext: tls.dialContext, checkServerIdentity: () => undefined };
  return handshake(address, options, timeoutMs, (outcome) => {
    if (outcome.kind === "no-tls") return `${address} does not answer in TLS`;
    if (outcome.kind === "unreachable") return undefined;
    const certificate = outcome.socket.getPeerX509Certificate();
    if (certificate === undefined) return `${address} shows no certificate`;
    const { authorized, authorizationError } = outcome.socket;
    if (!authorized) return verdictText(codeOf(authorizationError), certificate);
    return nodeMismatch({ raw: certificate.raw }, tls.material.own.cluster, nodeId)?.message;
  });
}
