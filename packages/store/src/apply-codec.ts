/**
 * What goes to the apply thread and comes back, packed into one buffer each way: a batch has
 * thousands of small byte arrays, and cloning each costs more than applying it.
 */
import type {
  AdmissionChange,
  AppliedBatch,
  AppliedEntry,
  Audience,
  CommittedEntry,
  Delivery,
  Outcome,
} from "@parley/chat";
import type { ApplyRequest } from "@parley/node/ports";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { encodeConfState } from "./conf-state-codec.ts";

const NO_CHANGES: readonly AdmissionChange[] = [];
const EMPTY_OUTCOME: Outcome = { kind: "empty" };
const EVERYONE: Audience = { kind: "everyone" };

const OUTCOME = { empty: 0, ok: 1, refused: 2 } as const;
const AUDIENCE = { everyone: 0, room: 1, account: 2 } as const;

export interface UnpackedRequest {
  readonly entries: readonly CommittedEntry[];
  /** Encoded; see `conf-state-codec.ts`. */
  readonly confState: Uint8Array | undefined;
}

export function packApplyRequest(request: ApplyRequest): Uint8Array<ArrayBuffer> {
  let bytes = 256;
  for (const { command } of request.entries) bytes += 20 + command.byteLength;
  const writer = new ByteWriter(bytes).u8(request.confState === undefined ? 0 : 1);
  if (request.confState !== undefined) writer.bytes(encodeConfState(request.confState));
  writer.u32(request.entries.length);
  for (const { index, term, command } of request.entries) {
    writer.u53(index).u53(term).bytes(command);
  }
  return writer.finish();
}

/** The commands are views into `packed`. */
export function unpackApplyRequest(packed: Uint8Array): UnpackedRequest {
  const reader = new ByteReader(packed);
  const confState = reader.u8() === 0 ? undefined : reader.bytes();
  const entries: CommittedEntry[] = [];
  for (let left = reader.u32(); left > 0; left--) {
    entries.push({ index: reader.u53(), term: reader.u53(), command: reader.bytes() });
  }
  return { entries, confState };
}

export function packBatch(batch: AppliedBatch): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(1024 + batch.entries.length * 1024);
  writer.u53(batch.appliedIndex).u32(batch.entries.length);
  for (const entry of batch.entries) {
    writer.u53(entry.index).u53(entry.term);
    packOutcome(writer, entry.outcome);
    // Rare and of many shapes: not worth a layout of their own.
    writer.text(entry.changes.length === 0 ? "" : JSON.stringify(entry.changes));
    writer.u32(entry.deliveries.length);
    for (const delivery of entry.deliveries) packDelivery(writer, delivery);
  }
  return writer.finish();
}

/** Responses and events are views into `packed`. */
export function unpackBatch(packed: Uint8Array): AppliedBatch {
  const reader = new ByteReader(packed);
  const appliedIndex = reader.u53();
  const entries: AppliedEntry[] = [];
  for (let left = reader.u32(); left > 0; left--) {
    const index = reader.u53();
    const term = reader.u53();
    const outcome = unpackOutcome(reader);
    const changes = reader.text();
    const deliveries: Delivery[] = [];
    for (let count = reader.u32(); count > 0; count--) deliveries.push(unpackDelivery(reader));
    entries.push({
      index,
      term,
      outcome,
      changes: changes === "" ? NO_CHANGES : (JSON.parse(changes) as AdmissionChange[]),
      deliveries,
    });
  }
  return { appliedIndex, entries };
}

function packOutcome(writer: ByteWriter, outcome: Outcome): void {
  switch (outcome.kind) {
    case "empty":
      writer.u8(OUTCOME.empty);
      return;
    case "ok":
      writer.u8(OUTCOME.ok).bytes(outcome.response);
      return;
    case "refused":
      writer.u8(OUTCOME.refused).text(JSON.stringify(outcome.error));
      return;
  }
}

function unpackOutcome(reader: ByteReader): Outcome {
  const kind = reader.u8();
  switch (kind) {
    case OUTCOME.empty:
      return EMPTY_OUTCOME;
    case OUTCOME.ok:
      return { kind: "ok", response: reader.bytes() };
    case OUTCOME.refused:
      return { kind: "refused", error: JSON.parse(reader.text()) };
    default:
      throw new TypeError(`an outcome of the unknown kind ${kind}`);
  }
}

function packDelivery(writer: ByteWriter, { audience, event }: Delivery): void {
  switch (audience.kind) {
    case "everyone":
      writer.u8(AUDIENCE.everyone);
      break;
    case "room":
      writer.u8(AUDIENCE.room).u53(audience.roomId).u53(audience.exceptAccountId);
      break;
    case "account":
      writer.u8(AUDIENCE.account).u53(audience.accountId);
      break;
  }
  writer.bytes(event);
}

function unpackDelivery(reader: ByteReader): Delivery {
  const audience = unpackAudience(reader);
  return { audience, event: reader.bytes() };
}

function unpackAudience(reader: ByteReader): Audience {
  const kind = reader.u8();
  switch (kind) {
    case AUDIENCE.everyone:
      return EVERYONE;
    case AUDIENCE.room:
      return { kind: "room", roomId: reader.u53(), exceptAccountId: reader.u53() };
    case AUDIENCE.account:
      return { kind: "account", accountId: reader.u53() };
    default:
      throw new TypeError(`an audience of the unknown kind ${kind}`);
  }
}
