// What a witness gets where others get a copy of the chat file: where its log begins, and the membership. It goes along with
// the other messages, as there is nothing to it.
//
// Its log begins at the data floor at the latest: what follows, a data node may still need. Its membership is the newest one all
// the same, because a witness that has just been added must find itself in it; so the two are not as of one index.
import { ServerRecord, WitnessState as WireState } from "@parley/protocol";
import type { Snapshot, Unavailable } from "@parley/raft";
import type { CopyHead, Membership } from "../ports.ts";

/** The log of whoever sends it. */
export interface SentLog {
  readonly compactedIndex: number;
  readonly applied: number;
  /** The term of an entry that is kept, or of the one before the first of them. */
  term(index: number): number | string;
}

const NO_BYTES = new Uint8Array(0);

/** "unavailable": the log can't be begun at `indexMax` or below yet. `asOf`: of the membership. */
export function witnessSnapshot(
  log: SentLog,
  membership: Membership,
  asOf: number,
  indexMax: number,
): Snapshot | Unavailable {
  const index = Math.min(indexMax, log.applied);
  if (index < Math.max(1, log.compactedIndex)) return "unavailable";
  const term = log.term(index);
  if (typeof term !== "number") return "unavailable";
  const { servers, nextRaftId, lastChangeId, ...confState } = membership;
  const data = WireState.encode({
    membershipIndex: Math.max(asOf, index),
    servers: servers.map((server) => ServerRecord.fromPartial(server)),
    nextRaftId,
    lastChangeId,
  }).finish();
  return { index, term, confState, data };
}

/** What is to be installed; undefined for what no correct leader sends. Never throws. */
export function headOfWitnessSnapshot({ index, term, confState, data }: Snapshot) {
  let state: WireState;
  try {
    state = WireState.decode(data);
  } catch {
    return undefined;
  }
  const { membershipIndex, servers, nextRaftId, lastChangeId } = state;
  if (membershipIndex < index || servers.length === 0) return undefined;
  const membership: Membership = { ...confState, servers, nextRaftId, lastChangeId };
  const head: CopyHead = {
    copyId: "",
    index,
    term,
    confState,
    bytes: 0,
    sha256: NO_BYTES,
    stateHash: "",
    witness: { membership, membershipIndex },
  };
  return head;
}
