/** Comparing what a copy is said to be with what it is. */
import type { CopyHead } from "@parley/node/ports";
import { encodeConfiguration } from "./conf-state-codec.ts";

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
    sameBytes(encodeConfiguration(a.confState), encodeConfiguration(b.confState))
  );
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
