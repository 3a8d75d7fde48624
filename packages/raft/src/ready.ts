/**
 * What a Ready holds, and the messages to the storage threads (etcd-raft's two contracts, see `Ready`).
 *
 * With asynchronous storage writes, everything that must wait for durability travels as `responses` of a
 * MsgStorageAppend: acknowledgements and votes, and last a MsgStorageAppendResp that moves the unstable log on.
 * That one names the last entry of the whole unstable log, and this term: the writes are done in
 * order, so when it comes back in the same term, all up to there is stored.
 */
import type { Ready } from "./api.ts";
import { entriesSize } from "./entry.ts";
import type { RaftState } from "./state.ts";
import type { Entry, HardState, Message, SoftState } from "./types.ts";
import { isEmptyHardState, LOCAL_APPEND_THREAD, LOCAL_APPLY_THREAD, makeMessage } from "./types.ts";

/** What the application was told last. */
export interface Told {
  readonly soft: SoftState;
  readonly hard: HardState;
}

function softChanged(r: RaftState, told: Told): boolean {
  return r.lead !== told.soft.lead || r.state !== told.soft.state;
}

function hardChanged(r: RaftState, told: Told): boolean {
  const { hard } = told;
  return r.term !== hard.term || r.vote !== hard.vote || r.log.committed !== hard.commit;
}

export function hasReady(r: RaftState, told: Told): boolean {
  return (
    r.messages.length > 0 ||
    r.messagesAfterAppend.length > 0 ||
    softChanged(r, told) ||
    (hardChanged(r, told) && !isEmptyHardState(r.hardState())) ||
    r.log.unstable.hasNextEntries() ||
    r.log.hasNextCommitted(!r.settings.asyncStorageWrites) ||
    r.log.unstable.nextSnapshot() !== null ||
    r.readStates.length > 0
  );
}

/** Gathers the work at hand; nothing is accepted yet. */
export function makeReady(r: RaftState, told: Told): Ready {
  const asynchronous = r.settings.asyncStorageWrites;
  const hardState = hardChanged(r, told) ? r.hardState() : null;
  const entries = r.log.unstable.nextEntries();
  const snapshot = r.log.unstable.nextSnapshot();
  const committedEntries = r.log.nextCommitted(!asynchronous);
  const work: Omit<Ready, "messages"> = {
    softState: softChanged(r, told) ? r.softState() : null,
    hardState,
    readStates: r.readStates,
    entries,
    snapshot,
    committedEntries,
    mustSync: entries.length > 0 || r.term !== told.hard.term || r.vote !== told.hard.vote,
  };
  const messages = r.messages;
  if (asynchronous) {
    if (needsAppend(r, work)) messages.push(storageAppend(r, work));
    if (committedEntries.length > 0) messages.push(storageApply(r, committedEntries));
  } else {
    for (const m of r.messagesAfterAppend) if (m.to !== r.id) messages.push(m);
  }
  return { ...work, messages };
}

/** The work has been taken. Returns what is to be stepped once it is done, in the synchronous contract. */
export function acceptReady(r: RaftState, ready: Ready): Message[] {
  const asynchronous = r.settings.asyncStorageWrites;
  const onAdvance: Message[] = [];
  const { committedEntries } = ready;
  if (!asynchronous) {
    for (const m of r.messagesAfterAppend) if (m.to === r.id) onAdvance.push(m);
    if (needsAppendResponse(r, ready)) onAdvance.push(storageAppendResponse(r, ready));
    if (committedEntries.length > 0) onAdvance.push(storageApplyResponse(r, committedEntries));
  }
  r.messages = [];
  r.messagesAfterAppend = [];
  r.readStates = [];
  r.log.unstable.acceptInProgress();
  const last = committedEntries[committedEntries.length - 1];
  if (last !== undefined) {
    r.log.acceptApplying(last.index, entriesSize(committedEntries), !asynchronous);
  }
  return onAdvance;
}

function needsAppend(r: RaftState, work: Omit<Ready, "messages">): boolean {
  return (
    work.entries.length > 0 ||
    work.hardState !== null ||
    work.snapshot !== null ||
    r.messagesAfterAppend.length > 0
  );
}

function storageAppend(r: RaftState, work: Omit<Ready, "messages">): Message {
  const { hardState, entries, snapshot } = work;
  const responses = r.messagesAfterAppend;
  // After this member's own acknowledgement, which finds the entries' terms in the unstable log.
  if (needsAppendResponse(r, work)) responses.push(storageAppendResponse(r, work));
  return makeMessage({
    type: "MsgStorageAppend",
    to: LOCAL_APPEND_THREAD,
    from: r.id,
    term: hardState?.term ?? 0,
    vote: hardState?.vote ?? 0,
    commit: hardState?.commit ?? 0,
    entries,
    snapshot,
    responses,
  });
}

/** Also while earlier entries are being written: an answer that was of an older term has said nothing. */
function needsAppendResponse(r: RaftState, work: Omit<Ready, "messages">): boolean {
  return r.log.unstable.length > 0 || work.snapshot !== null;
}

function storageAppendResponse(r: RaftState, work: Omit<Ready, "messages">): Message {
  const stable = r.log.unstable.length > 0 ? r.log.lastEntryId() : { index: 0, term: 0 };
  return makeMessage({
    type: "MsgStorageAppendResp",
    to: r.id,
    from: LOCAL_APPEND_THREAD,
    term: r.term,
    index: stable.index,
    logTerm: stable.term,
    snapshot: work.snapshot,
  });
}

function storageApply(r: RaftState, entries: readonly Entry[]): Message {
  return makeMessage({
    type: "MsgStorageApply",
    to: LOCAL_APPLY_THREAD,
    from: r.id,
    // What is committed is so in every term.
    term: 0,
    entries,
    responses: [storageApplyResponse(r, entries)],
  });
}

function storageApplyResponse(r: RaftState, entries: readonly Entry[]): Message {
  return makeMessage({
    type: "MsgStorageApplyResp",
    to: r.id,
    from: LOCAL_APPLY_THREAD,
    term: 0,
    entries,
  });
}
