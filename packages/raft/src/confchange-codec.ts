/**
 * The data of a conf-change entry: a compact, versioned encoding. Decoding is total, since the bytes of a
 * forwarded proposal come from another machine.
 *
 * Layout: format (1), version of the change (1 or 2), transition, number of changes, each as kind
 * and node id, length of the context, context. Numbers are varints. No bytes at all are the empty
 * change, which leaves a joint configuration.
 */

import { assert } from "./invariant.ts";
import type {
  ConfChange,
  ConfChangeKind,
  ConfChangeSingle,
  ConfChangeTransition,
} from "./types.ts";
import { NO_BYTES } from "./types.ts";

const FORMAT = 1;
/** A change of more members than this is refused: clusters are a handful of servers. */
export const CONF_CHANGES_MAX = 1024;
/** Bytes of application payload in one change. */
export const CONF_CHANGE_CONTEXT_MAX = 65_536;

const TRANSITIONS: readonly ConfChangeTransition[] = ["auto", "joint-implicit", "joint-explicit"];
const KINDS: readonly ConfChangeKind[] = ["add-voter", "remove", "update", "add-learner"];

export type DecodedConfChange =
  | { readonly ok: true; readonly change: ConfChange }
  | { readonly ok: false; readonly detail: string };

/** The bytes of a change; the empty leave-joint change has none. */
export function encodeConfChange(change: ConfChange): Uint8Array {
  const { context } = change;
  const changes = change.version === 1 ? [change.change] : change.changes;
  const transition = change.version === 1 ? "auto" : change.transition;
  if (change.version === 2 && transition === "auto" && changes.length + context.length === 0) {
    return NO_BYTES;
  }
  assert(changes.length <= CONF_CHANGES_MAX, `more than ${CONF_CHANGES_MAX} configuration changes`);
  assert(context.length <= CONF_CHANGE_CONTEXT_MAX, "the context of a change is too long");
  const bytes: number[] = [FORMAT, change.version, TRANSITIONS.indexOf(transition)];
  pushVarint(bytes, changes.length);
  for (const { kind, nodeId } of changes) {
    bytes.push(KINDS.indexOf(kind));
    pushVarint(bytes, nodeId);
  }
  pushVarint(bytes, context.length);
  const encoded = new Uint8Array(bytes.length + context.length);
  encoded.set(bytes);
  encoded.set(context, bytes.length);
  return encoded;
}

function pushVarint(bytes: number[], value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, () => `${value} is not a safe integer`);
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
}

/** The change that `bytes` encode, or what is wrong with them. Never throws. */
export function decodeConfChange(bytes: Uint8Array): DecodedConfChange {
  if (bytes.length === 0) {
    return { ok: true, change: { version: 2, transition: "auto", changes: [], context: NO_BYTES } };
  }
  const reader = new Reader(bytes);
  if (reader.byte() !== FORMAT) return malformed("unknown format");
  const version = reader.byte();
  if (version !== 1 && version !== 2) return malformed("unknown version");
  const transition = TRANSITIONS[reader.byte()];
  if (transition === undefined) return malformed("unknown transition");
  const count = reader.varint();
  if (count < 0 || count > CONF_CHANGES_MAX) return malformed("bad number of changes");
  const changes: ConfChangeSingle[] = [];
  for (let i = 0; i < count; i++) {
    const kind = KINDS[reader.byte()];
    const nodeId = reader.varint();
    if (kind === undefined || nodeId < 0) return malformed(`bad change ${i}`);
    changes.push({ kind, nodeId });
  }
  const length = reader.varint();
  if (length < 0 || length > CONF_CHANGE_CONTEXT_MAX) return malformed("bad length of context");
  const context = reader.rest(length);
  if (context === null) return malformed("wrong length");
  if (version === 2) return { ok: true, change: { version, transition, changes, context } };
  const change = changes[0];
  if (change === undefined || changes.length !== 1 || transition !== "auto") {
    return malformed("a change of version 1 is exactly one change");
  }
  return { ok: true, change: { version, change, context } };
}

function malformed(detail: string): DecodedConfChange {
  return { ok: false, detail };
}

/** Reads past the end give -1, which no field allows. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  byte(): number {
    return this.#bytes[this.#at++] ?? -1;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 49; scale *= 0x80) {
      const byte = this.byte();
      if (byte < 0) return -1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return Number.isSafeInteger(value) ? value : -1;
    }
    return -1;
  }

  /** The remaining bytes, which must be exactly `length`. */
  rest(length: number): Uint8Array | null {
    if (this.#bytes.length - this.#at !== length) return null;
    return this.#bytes.slice(this.#at);
  }
}
