// What a node makes of a hello: the identities on a link are checked before anything else is said on it
// (DESIGN section 6), and what a disk was lost from never passes for its old self (P9).
import { BootstrapState, ParleyError, type PeerHello, PROTOCOL_VERSION } from "@parley/protocol";
import { serverOfRaftId, standingOf } from "../membership/membership.ts";
import type { Membership } from "../ports.ts";

/** Who this node is on its links, at a time. */
export interface Self {
  readonly nodeId: number;
  readonly serverUuid: string;
  /** Empty = it belongs to no cluster yet. */
  readonly clusterId: string;
}

/** How a caller is received. */
export type Reception =
  /** A member of this cluster. */
  | { readonly kind: "peer" }
  /** It belongs to no cluster yet, and is told how it may get into this one. */
  | { readonly kind: "enquirer" }
  /** It is answered with this node's own hello, and no more. */
  | { readonly kind: "visitor" }
  | { readonly kind: "refused"; readonly error: ParleyError };

export function refusedFor(error: ParleyError): Reception {
  return { kind: "refused", error };
}

export function isFresh(hello: PeerHello): boolean {
  return hello.bootstrapState === BootstrapState.BOOTSTRAP_STATE_FRESH;
}

/** Whether it speaks the protocol, and means this node. */
export function checkAddressee(hello: PeerHello, self: Self): ParleyError | undefined {
  if (hello.protocolVersion !== PROTOCOL_VERSION) {
    return new ParleyError(
      "PROTOCOL_VERSION",
      `node ${hello.nodeId} speaks peer protocol ${hello.protocolVersion}, this node ${PROTOCOL_VERSION}: ` +
        "run the same version of Parley on both",
    );
  }
  const isForeign = hello.clusterId !== "" && hello.clusterId !== self.clusterId;
  if (isForeign && self.clusterId !== "") return otherCluster(hello, self.clusterId);
  if (hello.toNodeId !== 0 && hello.toNodeId !== self.nodeId) {
    return new ParleyError(
      "WRONG_CLUSTER",
      `meant for node ${hello.toNodeId}, but this is node ${self.nodeId}: check host and port in the configuration`,
    );
  }
  if (hello.toServerUuid !== "" && hello.toServerUuid !== self.serverUuid) {
    return new ParleyError(
      // Whoever lost its disk hears that from all the others, until they have taken it back.
      self.clusterId === "" ? "NOT_READY" : "WRONG_CLUSTER",
      `node ${hello.nodeId} expects server ${hello.toServerUuid} here, but this is another one`,
    );
  }
  return undefined;
}

function otherCluster({ nodeId, clusterId }: PeerHello, ours: string): ParleyError {
  return new ParleyError(
    "WRONG_CLUSTER",
    `node ${nodeId} belongs to cluster ${clusterId || "(none)"}, this is cluster ${ours}`,
  );
}

/** For a member of a cluster. */
export function receiveAsMember(
  hello: PeerHello,
  clusterId: string,
  membership: Membership,
): Reception {
  if (isFresh(hello)) return { kind: "enquirer" };
  if (hello.clusterId !== clusterId) return refusedFor(otherCluster(hello, clusterId));
  const known = serverOfRaftId(membership, hello.raftId);
  if (known === undefined) {
    // Who is expected was added by an entry that this node has not applied yet; only its links bring that entry.
    if (standingOf(membership, hello.raftId) === "expected") return { kind: "peer" };
    return refusedFor(
      new ParleyError(
        "REMOVED",
        `Server ${hello.nodeId} (raft id ${hello.raftId}) was removed from cluster ${clusterId}. To use the machine again, ` +
          "empty its data directory, start it with --join and add it with `parley add-server`.",
      ),
    );
  }
  if (known.serverUuid !== hello.serverUuid || known.nodeId !== hello.nodeId) {
    return refusedFor(
      new ParleyError(
        "WRONG_CLUSTER",
        `node ${hello.nodeId} comes as server ${hello.serverUuid}, but cluster ${clusterId} knows raft id ` +
          `${hello.raftId} as server ${known.serverUuid} of node ${known.nodeId}`,
      ),
    );
  }
  return { kind: "peer" };
}
