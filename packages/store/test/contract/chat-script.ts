// A history of real commands, every kind of outcome among them, as committed entries.
import {
  type CommittedEntry,
  createRoomCommand,
  deleteCommand,
  registerCommand,
  sendCommand,
  stampCommand,
} from "@parley/chat";
import { Command } from "@parley/protocol";

const START_MS = 1_800_000_000_000;
const TTL_MS = 1_000_000_000;
/** The first entries: a leader's no-op, an account, a room. */
const ALICE = 2;
export const ROOM = 3;

function requestId(n: number): string {
  const time = START_MS.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${n.toString(16).padStart(12, "0")}`;
}

/** Entries 1 … count: sends, with refusals, deletions and entries without a command in between. */
export function chatEntries(count: number): CommittedEntry[] {
  const entries: CommittedEntry[] = [];
  for (let index = 1; index <= count; index++) {
    entries.push({ index, term: 1 + Math.floor(index / 500), command: commandBytes(index) });
  }
  return entries;
}

/** The body of the message that entry `index` sends. */
export function bodyOf(index: number): string {
  return `message of revision ${index} `.repeat(4);
}

function commandBytes(index: number): Uint8Array {
  const command = commandOf(index);
  if (command === undefined) return new Uint8Array(0);
  return stampCommand(Command.encode(command).finish(), START_MS + index);
}

function commandOf(index: number): Command | undefined {
  const actor = { accountId: ALICE, sessionId: ALICE };
  if (index === 1 || index % 50 === 0) return undefined;
  if (index === ALICE) {
    return registerCommand(
      { username: "alice", displayName: "Alice", requestId: requestId(index) },
      {
        passwordHash: "phc",
        device: "test",
        tokenHash: new Uint8Array(32).fill(3),
        tokenTtlMs: TTL_MS,
      },
    );
  }
  if (index === ROOM) {
    return createRoomCommand(
      { name: "lobby", visibility: 1, topic: "", requestId: requestId(index) },
      actor,
    );
  }
  if (index % 41 === 0) {
    return deleteCommand(
      { roomId: ROOM, seqs: [(index % 31) + 1], requestId: requestId(index) },
      actor,
    );
  }
  const send = {
    // Every 37th goes to a room that does not exist, and is refused.
    roomId: index % 37 === 0 ? 999_999 : ROOM,
    body: bodyOf(index),
    clientMessageId: `message-${index}`,
    replyToSeq: 0,
    threadRootSeq: 0,
    afterClientMessageId: "",
    clientFileIds: [],
  };
  return sendCommand(send, actor);
}
