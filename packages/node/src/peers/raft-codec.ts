// Messages of the core to and from the wire. Entries are encoded once for all followers.
import {
  encode,
  joinBytes,
  lengthDelimitedField,
  type RaftConfState,
  RaftEntry,
  RaftMessage,
} from "@parley/protocol";
import type { ConfState, Entry, EntryType, Message, MessageType } from "@parley/raft";
import { makeMessage } from "@parley/raft";

/** Numbers of the message types on the wire: stable, never reused. */
const MESSAGE_TYPES: readonly MessageType[] = [
  "MsgProp",
  "MsgApp",
  "MsgAppResp",
  "MsgVote",
  "MsgVoteResp",
  "MsgPreVote",
  "MsgPreVoteResp",
  "MsgSnap",
  "MsgHeartbeat",
  "MsgHeartbeatResp",
  "MsgTransferLeader",
  "MsgTimeoutNow",
  "MsgReadIndex",
  "MsgReadIndexResp",
];
const TYPE_NUMBERS = new Map(MESSAGE_TYPES.map((type, number) => [type, number]));
const ENTRY_TYPES: readonly EntryType[] = ["EntryNormal", "EntryConfChange", "EntryConfChangeV2"];

/** Field of RaftMessage that holds the entries. */
const ENTRIES_FIELD = 8;

/** What was encoded last: the leader sends the same entries to one follower after the other. */
let shared: { readonly entries: readonly Entry[]; readonly encoded: Uint8Array } = {
  entries: [],
  encoded: new Uint8Array(0),
};

function encodeEntries(entries: readonly Entry[]): Uint8Array {
  // Entries follow one another, so those between the same two are the same.
  const isShared =
    entries.length === shared.entries.length &&
    entries[0] === shared.entries[0] &&
    entries.at(-1) === shared.entries.at(-1);
  if (!isShared) shared = { entries, encoded: joinBytes(entries.map(encodeEntryField)) };
  return shared.encoded;
}

function encodeEntryField(entry: Entry): Uint8Array {
  return lengthDelimitedField(
    ENTRIES_FIELD,
    encode(RaftEntry, {
      term: entry.term,
      index: entry.index,
      type: ENTRY_TYPES.indexOf(entry.type),
      data: entry.data,
    }),
  );
}

export function confStateToWire(state: ConfState): RaftConfState {
  return {
    voters: [...state.voters],
    learners: [...state.learners],
    votersOutgoing: [...state.votersOutgoing],
    learnersNext: [...state.learnersNext],
    autoLeave: state.autoLeave,
  };
}

/** An encoded `RaftMessage`. Storage messages never cross the network and have no number. */
export function encodeMessage(message: Message): Uint8Array {
  const type = TYPE_NUMBERS.get(message.type);
  if (type === undefined) throw new Error(`${message.type} is local and can't be sent`);
  const head = encode(RaftMessage, {
    type,
    to: message.to,
    from: message.from,
    term: message.term,
    logTerm: message.logTerm,
    index: message.index,
    commit: message.commit,
    entries: [],
    reject: message.reject,
    rejectHint: message.rejectHint,
    context: message.context,
    vote: message.vote,
    snapshot:
      message.snapshot === null
        ? undefined
        : {
            index: message.snapshot.index,
            term: message.snapshot.term,
            confState: confStateToWire(message.snapshot.confState),
            data: message.snapshot.data,
          },
  });
  if (message.entries.length === 0) return head;
  return joinBytes([head, encodeEntries(message.entries)]);
}

/**
 * The core's message, or undefined for one that no version of this protocol sends: an unknown type, a shape
 * that the core's senders never give it and that its invariants rule out. Never throws.
 */
export function messageFromWire(wire: RaftMessage): Message | undefined {
  const type = MESSAGE_TYPES[wire.type];
  if (type === undefined) return undefined;
  // Requests on behalf of a client are valid in every term; all else is said in one.
  if (wire.term === 0 && type !== "MsgProp" && type !== "MsgReadIndex") return undefined;
  const entries: Entry[] = [];
  for (const entry of wire.entries) {
    const entryType = ENTRY_TYPES[entry.type];
    if (entryType === undefined) return undefined;
    entries.push({ type: entryType, term: entry.term, index: entry.index, data: entry.data });
  }
  if (type === "MsgApp" && !isRun(entries, wire)) return undefined;
  if (type === "MsgProp" && entries.length === 0) return undefined;
  const { snapshot } = wire;
  const confState = snapshot?.confState;
  // A snapshot without its membership is no snapshot.
  const isWhole = snapshot !== undefined && confState !== undefined && snapshot.index > 0;
  if (isWhole !== (type === "MsgSnap") || (snapshot !== undefined && !isWhole)) return undefined;
  return makeMessage({
    type,
    to: wire.to,
    from: wire.from,
    term: wire.term,
    logTerm: wire.logTerm,
    index: wire.index,
    commit: wire.commit,
    entries,
    reject: wire.reject,
    rejectHint: wire.rejectHint,
    context: wire.context,
    vote: wire.vote,
    snapshot: isWhole
      ? { index: snapshot.index, term: snapshot.term, data: snapshot.data, confState }
      : null,
  });
}

/** Whether the entries follow one another, from the one after (index, logTerm), in terms up to the sender's. */
function isRun(entries: readonly Entry[], { index, logTerm, term }: RaftMessage): boolean {
  let before = { index, term: logTerm };
  for (const entry of entries) {
    if (entry.index !== before.index + 1 || entry.term < before.term) return false;
    before = entry;
  }
  return before.term <= term;
}
