// What a handshake has shown of the other end: nothing, a certificate of this cluster, or one that
// does not count, with the reason. Who may do what with it is decided above.
import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { CallerCertificate } from "@parley/node";
import { certifiedNameOf } from "./certified-name.ts";
import { issuerOf, untimely } from "./reading.ts";

/** OpenSSL's verdict on a chain as a sentence, for logs and for the one who is refused. */
export function verdictText(code: string, certificate: X509Certificate | undefined): string {
  if (certificate === undefined) return `the certificate was not accepted (${code})`;
  const late = untimely(certificate, Date.now());
  if (late !== undefined) return `the certificate ${late}`;
  switch (code) {
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "CERT_SIGNATURE_FAILURE":
      return `the certificate was issued by "${issuerOf(certificate)}", which is not this cluster's authority`;
    case "INVALID_PURPOSE":
      return "the certificate is not made for this use";
    default:
      return `the certificate was not accepted (${code})`;
  }
}

/** `authorizationError` holds the code as text in practice, an Error by its type. */
export function codeOf(error: unknown): string {
  if (error instanceof Error) return "code" in error ? String(error.code) : error.message;
  return String(error);
}

/** Of a finished handshake on the listening side, in the cluster that is called `cluster`. */
export function callerCertificate(socket: TLSSocket, cluster: string): CallerCertificate {
  const certificate = socket.getPeerX509Certificate();
  // A resumed session without a certificate counts as authorized: look for the certificate itself.
  if (certificate === undefined) return { kind: "none" };
  if (!socket.authorized) {
    return { kind: "refused", why: verdictText(codeOf(socket.authorizationError), certificate) };
  }
  const late = untimely(certificate, Date.now());
  if (late !== undefined) return { kind: "refused", why: `the certificate ${late}` };
  const name = certifiedNameOf(certificate);
  if (name === undefined) {
    return { kind: "refused", why: "the certificate names nobody of a Parley cluster" };
  }
  if (name.cluster !== cluster) {
    return {
      kind: "refused",
      why: `the certificate is of cluster ${name.cluster}, and this is ${cluster}`,
    };
  }
  return { kind: "trusted", role: name.role, name: name.name };
}
