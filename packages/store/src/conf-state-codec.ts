/**
 * The membership as stored in the chat file, where it is opaque. The same membership gives the same
 * bytes on every node.
 */
import { crc32 } from "node:zlib";
import type { Membership } from "@parley/node/ports";
import type { ConfState } from "@parley/raft";
import { ByteReader, ByteWriter } from "./bytes.ts";

type Server = Membership["servers"][number];

const VERSION = 2;
/** Without the servers: of a cluster that never changed, whose bootstrap record has them. */
const VERSION_WITHOUT_SERVERS = 1;
const CHECKSUM_BYTES = 4;

export function encodeConfState(state: Membership): Uint8Array<ArrayBuffer> {
  const writer = writeConfState(VERSION, state);
  writer.u53(state.nextRaftId).text(state.lastChangeId).u32(state.servers.length);
  for (const { nodeId, raftId, serverUuid, address, httpAddress, role } of state.servers) {
    writer.u53(nodeId).u53(raftId).text(serverUuid).text(address).text(httpAddress).u8(role);
  }
  return withChecksum(writer);
}

/** The configuration alone, as the core knows it. */
export function encodeConfiguration(state: ConfState): Uint8Array<ArrayBuffer> {
  return withChecksum(writeConfState(VERSION_WITHOUT_SERVERS, state));
}

function writeConfState(version: number, state: ConfState): ByteWriter {
  const writer = new ByteWriter(256).u8(version);
  for (const ids of [state.voters, state.votersOutgoing, state.learners, state.learnersNext]) {
    writer.u32(ids.length);
    for (const id of ids) writer.u53(id);
  }
  return writer.u8(state.autoLeave ? 1 : 0);
}

function withChecksum(writer: ByteWriter): Uint8Array<ArrayBuffer> {
  const body = writer.finish();
  return new ByteWriter(body.byteLength + CHECKSUM_BYTES).raw(body).u32(crc32(body)).finish();
}

/** Throws a TypeError for bytes that neither {@link encodeConfState} nor {@link encodeConfiguration} made. */
export function decodeConfState(bytes: Uint8Array): Membership {
  const body = bytes.subarray(0, -CHECKSUM_BYTES);
  const checksum = new ByteReader(bytes.subarray(-CHECKSUM_BYTES));
  if (bytes.byteLength <= CHECKSUM_BYTES || checksum.u32() !== crc32(body)) {
    throw new TypeError("the stored membership is damaged");
  }
  const reader = new ByteReader(body);
  const version = reader.u8();
  if (version !== VERSION && version !== VERSION_WITHOUT_SERVERS) {
    throw new TypeError(`a membership of the unknown layout ${version}`);
  }
  const confState = {
    voters: readIds(reader),
    votersOutgoing: readIds(reader),
    learners: readIds(reader),
    learnersNext: readIds(reader),
    autoLeave: reader.u8() === 1,
  };
  if (version === VERSION_WITHOUT_SERVERS) {
    return { ...confState, servers: [], nextRaftId: 0, lastChangeId: "" };
  }
  const nextRaftId = reader.u53();
  const lastChangeId = reader.text();
  const servers: Server[] = [];
  for (let left = reader.u32(); left > 0; left--) servers.push(readServer(reader));
  return { ...confState, servers, nextRaftId, lastChangeId };
}

function readServer(reader: ByteReader): Server {
  return {
    nodeId: reader.u53(),
    raftId: reader.u53(),
    serverUuid: reader.text(),
    address: reader.text(),
    httpAddress: reader.text(),
    role: reader.u8() as Server["role"],
  };
}

function readIds(reader: ByteReader): number[] {
  const ids: number[] = [];
  for (let left = reader.u32(); left > 0; left--) ids.push(reader.u53());
  return ids;
}
