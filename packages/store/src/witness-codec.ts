/** The state of a witness as stored in the raft file: how far it has applied, and the membership. */
import type { WitnessState } from "@parley/node/ports";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { decodeConfState, encodeConfState } from "./conf-state-codec.ts";

const VERSION = 1;

export interface AppliedWitness extends WitnessState {
  readonly appliedIndex: number;
}

export function encodeWitness(state: AppliedWitness): Uint8Array {
  const writer = new ByteWriter().u8(VERSION).u53(state.appliedIndex).u53(state.membershipIndex);
  return writer.bytes(encodeConfState(state.membership)).finish();
}

/** Throws a TypeError for bytes that {@link encodeWitness} didn't make. */
export function decodeWitness(bytes: Uint8Array): AppliedWitness {
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  if (version !== VERSION)
    throw new TypeError(`a witness's state of the unknown layout ${version}`);
  const appliedIndex = reader.u53();
  const membershipIndex = reader.u53();
  return { appliedIndex, membershipIndex, membership: decodeConfState(reader.bytes()) };
}
