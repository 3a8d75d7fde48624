/** Answers of the read threads on their way: byte arrays moved, a page's events in one buffer. */
import type { ChatAnswer, ChatQuery } from "@parley/chat";
import { ByteReader, ByteWriter, wholeBuffer } from "./bytes.ts";

type Page = Extract<ChatAnswer, { kind: "page" }>;

/** A page whose events are packed; every other answer travels as it is. */
interface PackedPage {
  readonly kind: "packed-page";
  readonly revision: number;
  readonly upToRevision: number;
  readonly events: Uint8Array<ArrayBuffer>;
}

export type PackedAnswer = Exclude<ChatAnswer, Page> | PackedPage;

export interface AnswerMessage {
  readonly answer: PackedAnswer;
  readonly transfer: readonly ArrayBuffer[];
}

/** A query whose bytes can be posted without cloning the frame that they came in. */
export function detachedQuery(query: ChatQuery): ChatQuery {
  if (query.kind !== "operation") return query;
  return { ...query, request: wholeBuffer(query.request) };
}

export function packAnswer(answer: ChatAnswer): AnswerMessage {
  switch (answer.kind) {
    case "response": {
      // Copied, because a moved buffer is lost to whoever still has it.
      const response = new Uint8Array(answer.response);
      return { answer: { ...answer, response }, transfer: [response.buffer] };
    }
    case "page": {
      const events = packEvents(answer.events);
      const { revision, upToRevision } = answer;
      return {
        answer: { kind: "packed-page", revision, upToRevision, events },
        transfer: [events.buffer],
      };
    }
    default:
      return { answer, transfer: [] };
  }
}

export function unpackAnswer(answer: PackedAnswer): ChatAnswer {
  if (answer.kind !== "packed-page") return answer;
  const { revision, upToRevision } = answer;
  return { kind: "page", revision, upToRevision, events: unpackEvents(answer.events) };
}

function packEvents(events: Page["events"]): Uint8Array<ArrayBuffer> {
  let bytes = 1;
  for (const { event } of events) bytes += 12 + event.byteLength;
  const writer = new ByteWriter(bytes);
  for (const { revision, event } of events) writer.u53(revision).bytes(event);
  return writer.finish();
}

function unpackEvents(packed: Uint8Array): Page["events"] {
  const reader = new ByteReader(packed);
  const events: { revision: number; event: Uint8Array }[] = [];
  while (!reader.atEnd) events.push({ revision: reader.u53(), event: reader.bytes() });
  return events;
}
