/** Comparing what a copy is said to be with what it is. */
import type { CopyHead } from "@parley/node/ports";
import type { ConfState } from "@parley/raft";

/** The very same bytes. */
export function isSameCopy(a: CopyHead, b: CopyHead): boolean {
  return a.copyId === b.copyId && a.bytes === b.bytes && sameBytes(a.sha256, b.sha256);
}

/** Also the same state, as found in its rows. */
export function isSameState(
  a: Omit<CopyHead, "copyId" | "bytes" | "sha256">,
  b: Omit<CopyHead, "copyId" | "bytes" | "sha256">,
): boolean {
  return (
    a.index === b.index &&
    a.term === b.term &&
    a.stateHash === b.stateHash &&
    sameConfState(a.confState, b.confState)
  );
}

/** Who votes; the table of servers is in the copy's rows. */
function sameConfState(a: ConfState, b: ConfState): boolean {
  const key = ({ voters, votersOutgoing, learners, learnersNext, autoLeave }: ConfState) =>
    JSON.stringify([voters, votersOutgoing, learners, learnersNext, autoLeave]);
  return key(a) === key(b);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
