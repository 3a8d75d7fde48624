// Whom a certificate names. Nodes, operators and clients of a cluster carry a URI among their
// alternative names that says cluster, role and name: `parley://lab/node/3`. Host names stand beside
// it, for clients; peers go by the URI alone, because a node keeps its id when it moves.
import type { X509Certificate } from "node:crypto";

export const ROLES = ["node", "operator", "client"] as const;
export type CertifiedRole = (typeof ROLES)[number];

export interface CertifiedName {
  readonly cluster: string;
  readonly role: CertifiedRole;
  /** A node's id, or what a person is called. */
  readonly name: string;
}

/** Clusters and people in certificates: short, and nothing that an URI or a file name would bend. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

const URI = /^parley:\/\/([A-Za-z0-9._-]{1,63})\/(node|operator|client)\/([A-Za-z0-9._-]{1,63})$/;
const NODE_ID = /^[1-9]\d{0,6}$/;

export function formatCertifiedName({ cluster, role, name }: CertifiedName): string {
  return `parley://${cluster}/${role}/${name}`;
}

function parseUri(uri: string): CertifiedName | undefined {
  const match = URI.exec(uri);
  const [, cluster, role, name] = match ?? [];
  if (cluster === undefined || name === undefined) return undefined;
  if (role === "node" && !NODE_ID.test(name)) return undefined;
  return { cluster, role: role as CertifiedRole, name };
}

/** Undefined when it names nobody of any cluster, or more than one. */
export function certifiedNameOf(certificate: X509Certificate): CertifiedName | undefined {
  // Node quotes a value that could be mistaken for several, so a quoted one never matches.
  const entries = (certificate.subjectAltName ?? "").split(", ");
  const uris = entries.filter((entry) => entry.startsWith("URI:parley:"));
  const [uri] = uris;
  return uri === undefined || uris.length > 1 ? undefined : parseUri(uri.slice("URI:".length));
}

/** "node 3", "operator ann". */
export function describeName({ role, name }: CertifiedName): string {
  return `${role} ${name}`;
}
