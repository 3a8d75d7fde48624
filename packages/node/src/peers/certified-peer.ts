// Whether a peer is who its certificate says (P10).
import { ParleyError, type PeerHello } from "@parley/protocol";
import type { IncomingLink } from "../ports.ts";

/** A node's certificate opens the cluster for that node, not for others that it might claim to be (P10). */
export function certificateMismatch(
  hello: PeerHello,
  link: Pick<IncomingLink, "certifiedId">,
): ParleyError | undefined {
  const { certifiedId } = link;
  if (certifiedId === undefined || certifiedId === hello.nodeId) return undefined;
  return new ParleyError(
    "CERTIFICATE_REFUSED",
    `the certificate is node ${certifiedId}'s, but node ${hello.nodeId} says that it speaks`,
  );
}
