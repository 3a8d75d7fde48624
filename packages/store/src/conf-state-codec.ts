/**
 * The membership as stored in the chat file, where it is opaque. The same ConfState gives the same
 * bytes on every node.
 */
import { crc32 } from "node:zlib";
import type { ConfState } from "@parley/raft";
import { ByteReader, ByteWriter } from "./bytes.ts";

const VERSION = 1;
const CHECKSUM_BYTES = 4;

export function encodeConfState(state: ConfState): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(64).u8(VERSION);
  for (const ids of [state.voters, state.votersOutgoing, state.learners, state.learnersNext]) {
    writer.u32(ids.length);
    for (const id of ids) writer.u53(id);
  }
  writer.u8(state.autoLeave ? 1 : 0);
  const body = writer.finish();
  return new ByteWriter(body.byteLength + CHECKSUM_BYTES).raw(body).u32(crc32(body)).finish();
}

/** Throws a TypeError for bytes that {@link encodeConfState} did not make. */
export function decodeConfState(bytes: Uint8Array): ConfState {
  const body = bytes.subarray(0, -CHECKSUM_BYTES);
  const checksum = new ByteReader(bytes.subarray(-CHECKSUM_BYTES));
  if (bytes.byteLength <= CHECKSUM_BYTES || checksum.u32() !== crc32(body)) {
    throw new TypeError("the stored membership is damaged");
  }
  const reader = new ByteReader(body);
  const version = reader.u8();
  if (version !== VERSION) throw new TypeError(`a membership of the unknown layout ${version}`);
  return {
    voters: readIds(reader),
    votersOutgoing: readIds(reader),
    learners: readIds(reader),
    learnersNext: readIds(reader),
    autoLeave: reader.u8() === 1,
  };
}

function readIds(reader: ByteReader): number[] {
  const ids: number[] = [];
  for (let left = reader.u32(); left > 0; left--) ids.push(reader.u53());
  return ids;
}
