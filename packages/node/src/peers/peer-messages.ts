// Which messages of a peer reach the core. Raft tolerates members that crash, not members that lie, so a peer that has
// greeted is believed; but what no correct member of any version sends is refused here, where it can be
// told, before it can move a term or an index to where nothing leads back from.
import type { RaftMessage } from "@parley/protocol";
import type { Message, RawNode } from "@parley/raft";
import { messageFromWire } from "./raft-codec.ts";

/** At an election, or an entry, every few microseconds it would take hours to get so far ahead of another member. */
const LEAP_MAX = 2 ** 32;

export type PeerMessage =
  | { readonly kind: "message"; readonly message: Message }
  /** A correct peer sends it, and it is of no use here. */
  | { readonly kind: "ignored" }
  /** `problem`: what is wrong, for the log. */
  | { readonly kind: "refused"; readonly problem: string };

/** `takesSnapshots`: this node is a witness. Judges one message that `peerId` sent to `self`. Never throws. */
export function judgePeerMessage(
  wire: RaftMessage,
  peerId: number,
  self: number,
  raft: Pick<RawNode, "term" | "state" | "lastIndex">,
  takesSnapshots = false,
): PeerMessage {
  const message = messageFromWire(wire);
  if (message === undefined) return refused(`it is malformed (type ${wire.type})`);
  const { type, from, to, term } = message;
  if (from !== peerId || to !== self) return refused(`${type} from ${from} to ${to}`);
  // Copies of the chat file come on streams of their own, and only with them does the core hear of them. A witness gets none.
  if (type === "MsgSnap" && !takesSnapshots) return refused("a snapshot");
  // Requests go to the leader's node as such; the core's own forwarding is off.
  if (type === "MsgProp") return refused("a proposal that went around the checks of commands");
  if (term - raft.term > LEAP_MAX) return refused(`${type} of term ${term}`);
  // The core would send a read on to whom it takes for the leader, in the peer's name, and two that take each other for it would never
  // end. Who asked asks again.
  if (type === "MsgReadIndex" && raft.state !== "StateLeader") return { kind: "ignored" };
  if (message.commit - raft.lastIndex > LEAP_MAX) {
    return refused(`${type} with commit index ${message.commit}`);
  }
  if (
    type === "MsgAppResp" &&
    !message.reject &&
    raft.state === "StateLeader" &&
    term === raft.term &&
    message.index > raft.lastIndex
  ) {
    // Leader Append-Only: what this leader has is all that there can be in its term.
    return refused(`${type} for ${message.index}, after the leader's last ${raft.lastIndex}`);
  }
  return { kind: "message", message };
}

function refused(problem: string): PeerMessage {
  return { kind: "refused", problem };
}
