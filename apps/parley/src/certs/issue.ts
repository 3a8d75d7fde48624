// An authority of a cluster's own, and the certificates that it gives out: ECDSA on P-256, which
// every TLS library, gRPC tool and browser takes.
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { isIP } from "node:net";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { type CertifiedName, describeName, formatCertifiedName } from "../tls/certified-name.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 24 * 60 * 60_000;
/** Clocks differ: a certificate that was made a moment ago must count on a machine that is behind. */
const BACKDATED_MS = 60 * 60_000;

const { subtle } = webcrypto;
cryptoProvider.set(webcrypto);

/** PEM. */
export interface Issued {
  readonly certificate: string;
  readonly key: string;
}

export interface Authority extends Issued {
  readonly cluster: string;
}

/** From `fromMs` (the default is now) for `days`; negative spans do not exist. */
export interface Validity {
  readonly days: number;
  readonly fromMs?: number | undefined;
}

function span({ days, fromMs = Date.now() }: Validity) {
  return { notBefore: new Date(fromMs - BACKDATED_MS), notAfter: new Date(fromMs + days * DAY_MS) };
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

async function keyPem(key: CryptoKey): Promise<string> {
  return `${PemConverter.encode(await subtle.exportKey("pkcs8", key), "PRIVATE KEY")}\n`;
}

/** In the order of an X.500 name; commas and the like cannot occur in what is asked for here. */
function distinguishedName(cluster: string, commonName: string): string {
  return `O=Parley cluster ${cluster}, CN=${commonName}`;
}

const ORGANISATION = /O=Parley cluster ([A-Za-z0-9._-]+)/;

export async function makeAuthority(cluster: string, validity: Validity): Promise<Authority> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: distinguishedName(cluster, `Parley authority of ${cluster}`),
    keys,
    ...span(validity),
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const key = await keyPem(keys.privateKey);
  return { cluster, certificate: `${certificate.toString("pem")}\n`, key };
}

/** The authority that `makeAuthority` made, read back. Throws when the texts are not such a pair. */
export async function readAuthority(certificate: string, key: string): Promise<Authority> {
  const cluster = ORGANISATION.exec(new X509Certificate(certificate).subject)?.[1];
  if (cluster === undefined) throw new Error("it is not an authority that Parley made");
  await importKey(key);
  return { cluster, certificate, key };
}

async function importKey(pem: string): Promise<CryptoKey> {
  const [der] = PemConverter.decode(pem);
  if (der === undefined) throw new Error("there is no key in it");
  return await subtle.importKey("pkcs8", der, ALGORITHM, false, ["sign"]);
}

function alternativeNames(name: CertifiedName, hosts: readonly string[]): JsonGeneralName[] {
  const names: JsonGeneralName[] = [{ type: "url", value: formatCertifiedName(name) }];
  for (const host of new Set(hosts)) {
    names.push({ type: isIP(host) === 0 ? "dns" : "ip", value: host });
  }
  return names;
}

/** A certificate for a node (with the hosts that clients dial), an operator or a client. */
export async function issue(
  authority: Authority,
  owner: Omit<CertifiedName, "cluster">,
  hosts: readonly string[],
  validity: Validity,
): Promise<Issued> {
  const name = { ...owner, cluster: authority.cluster };
  const issuer = new X509Certificate(authority.certificate);
  const keys = await newKeys();
  const usages =
    owner.role === "node"
      ? [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]
      : [ExtendedKeyUsage.clientAuth];
  const extensions: Extension[] = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension(usages),
    new SubjectAlternativeNameExtension(alternativeNames(name, hosts)),
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
    await AuthorityKeyIdentifierExtension.create(issuer),
  ];
  const certificate = await X509CertificateGenerator.create({
    subject: distinguishedName(authority.cluster, describeName(name)),
    issuer: issuer.subject,
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.key),
    ...span(validity),
    signingAlgorithm: ALGORITHM,
    extensions,
  });
  return { certificate: `${certificate.toString("pem")}\n`, key: await keyPem(keys.privateKey) };
}
