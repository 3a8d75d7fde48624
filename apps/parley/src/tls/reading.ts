// Certificates as they lie in files: read, and judged before anything is trusted to them.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { isIP } from "node:net";
import { type CertifiedName, certifiedNameOf, describeName } from "./certified-name.ts";

/** Files that cannot be used; the message names the file, what is wrong with it and what to do. */
export class CertificateError extends Error {
  override readonly name = "CertificateError";
}

/** Absolute paths. */
export interface TlsFiles {
  /** The authority of the cluster; several certificates while one replaces another. */
  readonly ca: string;
  /** This node's own, with whatever stands between it and the authority after it. */
  readonly cert: string;
  readonly key: string;
}

export interface TlsMaterial {
  /** PEM. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Whom the certificate names. */
  readonly own: CertifiedName;
  readonly expiresAtMs: number;
  /** Things that work and should still be put right. */
  readonly warnings: readonly string[];
}

const FILE_BYTES_MAX = 256 * 1024;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const CERTIFICATES_MAX = 32;

function readPem(file: string, what: string): string {
  try {
    const { size } = statSync(file);
    if (size > FILE_BYTES_MAX) throw new Error(`it has ${size} bytes`);
    return readFileSync(file, "utf8");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CertificateError(`${file}: ${what} cannot be read (${why})`);
  }
}

function certificatesIn(file: string, pem: string): readonly X509Certificate[] {
  const parts = (pem.match(CERTIFICATE) ?? []).slice(0, CERTIFICATES_MAX);
  if (parts.length === 0) throw new CertificateError(`${file}: there is no certificate in it`);
  return parts.map((part) => {
    try {
      return new X509Certificate(part);
    } catch {
      throw new CertificateError(`${file}: a certificate in it is damaged`);
    }
  });
}

/** The day, for people. */
export function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}

/** Why a certificate does not count at `nowMs`; undefined when it does. */
export function untimely(certificate: X509Certificate, nowMs: number): string | undefined {
  const { validFromDate, validToDate } = certificate;
  if (nowMs < validFromDate.getTime()) {
    return `is not valid before ${validFromDate.toISOString()}: check this machine's clock`;
  }
  return nowMs > validToDate.getTime() ? `expired on ${validToDate.toISOString()}` : undefined;
}

/** A certificate's authority by its name, for sentences. */
export function issuerOf(certificate: X509Certificate): string {
  return certificate.issuer.split("\n").join(", ");
}

function isVouchedFor(chain: readonly X509Certificate[], ca: readonly X509Certificate[]): boolean {
  let at = chain[0];
  for (let links = 0; at !== undefined && links < CERTIFICATES_MAX; links += 1) {
    const child = at;
    const vouches = (one: X509Certificate) => child.checkIssued(one) && child.verify(one.publicKey);
    if (ca.some(vouches)) return true;
    at = chain.slice(1).find((one) => one !== child && vouches(one));
  }
  return false;
}

export interface ExpectedOwner {
  readonly nodeId: number;
  /** As clients dial it; the certificate should stand for it. */
  readonly host: string;
}

function hostWarning(certificate: X509Certificate, host: string): readonly string[] {
  // One that joins without a line of its own is told later where it listens.
  if (host === "") return [];
  const names = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host);
  if (names !== undefined) return [];
  return [`the certificate does not name ${host}: clients that dial it there will refuse it`];
}

function keyWarning(file: string): readonly string[] {
  if ((statSync(file).mode & 0o077) === 0) return [];
  return [`${file} can be read by others than its owner: chmod 600 it`];
}

/** Reads and judges the files of one node. Throws a CertificateError. */
export function readTlsMaterial(files: TlsFiles, owner: ExpectedOwner, nowMs: number): TlsMaterial {
  const ca = readPem(files.ca, "the cluster's authority");
  const cert = readPem(files.cert, `the certificate of node ${owner.nodeId}`);
  const key = readPem(files.key, `the key of node ${owner.nodeId}`);
  const authorities = certificatesIn(files.ca, ca);
  const chain = certificatesIn(files.cert, cert);
  const own = chain[0];
  if (own === undefined) throw new CertificateError(`${files.cert}: there is no certificate in it`);
  const name = certifiedNameOf(own);
  if (name?.role !== "node" || name.name !== String(owner.nodeId)) {
    const whose = name === undefined ? "nobody of a Parley cluster" : describeName(name);
    throw new CertificateError(
      `${files.cert}: it names ${whose}, but this is node ${owner.nodeId}; make one with \`parley certs node ${owner.nodeId}\``,
    );
  }
  const late = untimely(own, nowMs);
  if (late !== undefined) {
    throw new CertificateError(
      `${files.cert}: the certificate ${late}; make a new one with \`parley certs node ${owner.nodeId}\``,
    );
  }
  if (!isVouchedFor(chain, authorities)) {
    throw new CertificateError(
      `${files.cert}: it was issued by "${issuerOf(own)}", which is not the authority in ${files.ca}: ` +
        "they belong to different clusters, or one of them was made anew",
    );
  }
  let fits: boolean;
  try {
    fits = own.checkPrivateKey(createPrivateKey(key));
  } catch {
    throw new CertificateError(`${files.key}: there is no usable private key in it`);
  }
  if (!fits) throw new CertificateError(`${files.key}: it is not the key of ${files.cert}`);
  return {
    ca,
    cert,
    key,
    own: name,
    expiresAtMs: own.validToDate.getTime(),
    warnings: [...hostWarning(own, owner.host), ...keyWarning(files.key)],
  };
}
