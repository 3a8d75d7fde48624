/** Messages, entries and Readys as scenario files write them. */
import type {
  ConfState,
  Entry,
  HardState,
  Message,
  NodeId,
  ReadState,
  Ready,
  Snapshot,
  SoftState,
} from "../src/index.ts";
import {
  decodeConfChange,
  describeChanges,
  LOCAL_APPEND_THREAD,
  LOCAL_APPLY_THREAD,
  NONE,
} from "../src/index.ts";

/** Renders the data of a normal entry. */
export type EntryFormatter = (data: Uint8Array) => string;

const ESCAPES: ReadonlyMap<number, string> = new Map([
  [0x07, "\\a"],
  [0x08, "\\b"],
  [0x09, "\\t"],
  [0x0a, "\\n"],
  [0x0b, "\\v"],
  [0x0c, "\\f"],
  [0x0d, "\\r"],
  [0x22, '\\"'],
  [0x5c, "\\\\"],
]);

/** The data as a quoted string; what isn't printable ASCII is escaped byte by byte. */
export const quoted: EntryFormatter = (data) => {
  let text = "";
  for (const byte of data) {
    const escaped = ESCAPES.get(byte);
    if (escaped !== undefined) text += escaped;
    else if (byte >= 0x20 && byte < 0x7f) text += String.fromCharCode(byte);
    else text += `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return `"${text}"`;
};

function describeTarget(id: NodeId): string {
  switch (id) {
    case NONE:
      return "None";
    case LOCAL_APPEND_THREAD:
      return "AppendThread";
    case LOCAL_APPLY_THREAD:
      return "ApplyThread";
    default:
      return id.toString(16);
  }
}

export function describeHardState({ term, vote, commit }: HardState): string {
  return `Term:${term}${vote === NONE ? "" : ` Vote:${vote}`} Commit:${commit}`;
}

export function describeSoftState({ lead, state }: SoftState): string {
  return `Lead:${lead} State:${state}`;
}

function list(ids: readonly NodeId[]): string {
  return `[${ids.join(" ")}]`;
}

export function describeConfState(state: ConfState): string {
  return `Voters:${list(state.voters)} VotersOutgoing:${list(state.votersOutgoing)} Learners:${list(state.learners)} LearnersNext:${list(state.learnersNext)} AutoLeave:${state.autoLeave}`;
}

export function describeSnapshot({ index, term, confState }: Snapshot): string {
  return `Index:${index} Term:${term} ConfState:${describeConfState(confState)}`;
}

export function describeReadStates(states: readonly ReadState[]): string {
  const each = states.map(({ index, context }) => `{${index} [${context.join(" ")}]}`);
  return `[${each.join(" ")}]`;
}

export function describeEntry(entry: Entry, format: EntryFormatter = quoted): string {
  const { term, index, type, data } = entry;
  let text = "";
  if (type === "EntryNormal") {
    text = format(data);
  } else {
    const decoded = decodeConfChange(data);
    if (!decoded.ok) return `${term}/${index} ${type} ${decoded.detail}`;
    const { change } = decoded;
    text = describeChanges(change.version === 1 ? [change.change] : change.changes);
  }
  return `${term}/${index} ${type}${text === "" ? "" : ` ${text}`}`;
}

/** One line for each entry. */
export function describeEntries(entries: readonly Entry[], format?: EntryFormatter): string {
  return entries.map((entry) => `${describeEntry(entry, format)}\n`).join("");
}

/** A read's context is shown as the one entry of a message, as that is how it came to be written. */
function entriesOf(m: Message): readonly Entry[] {
  if (m.type !== "MsgReadIndex" && m.type !== "MsgReadIndexResp") return m.entries;
  return [{ type: "EntryNormal", term: 0, index: 0, data: m.context }];
}

/** One line, or several with entries, a snapshot or responses; no newline at the end. */
export function describeMessage(m: Message, format?: EntryFormatter, indent = ""): string {
  let text = `${indent}${describeTarget(m.from)}->${describeTarget(m.to)} ${m.type} Term:${m.term} Log:${m.logTerm}/${m.index}`;
  if (m.reject) text += ` Rejected (Hint: ${m.rejectHint})`;
  if (m.commit !== 0) text += ` Commit:${m.commit}`;
  if (m.vote !== NONE) text += ` Vote:${m.vote}`;
  const entries = entriesOf(m).map((entry) => describeEntry(entry, format));
  if (entries.length === 1) {
    text += ` Entries:[${entries[0]}]`;
  } else if (entries.length > 1) {
    text += ` Entries:[${entries.map((entry) => `\n${indent}  ${entry}`).join("")}\n${indent}]`;
  }
  if (m.snapshot !== null) text += `\n${indent}  Snapshot: ${describeSnapshot(m.snapshot)}`;
  if (m.responses.length > 0) {
    const each = m.responses.map((response) => describeMessage(response, format, `${indent}  `));
    text += ` Responses:[\n${each.join("\n")}\n${indent}]`;
  }
  return text;
}

export function describeReady(ready: Ready, format?: EntryFormatter): string {
  let text = "";
  if (ready.softState !== null) text += `${describeSoftState(ready.softState)}\n`;
  if (ready.hardState !== null) text += `HardState ${describeHardState(ready.hardState)}\n`;
  if (ready.readStates.length > 0) text += `ReadStates ${describeReadStates(ready.readStates)}\n`;
  if (ready.entries.length > 0) text += `Entries:\n${describeEntries(ready.entries, format)}`;
  if (ready.snapshot !== null) text += `Snapshot ${describeSnapshot(ready.snapshot)}\n`;
  if (ready.committedEntries.length > 0) {
    text += `CommittedEntries:\n${describeEntries(ready.committedEntries, format)}`;
  }
  if (ready.messages.length > 0) {
    const each = ready.messages.map((m) => `${describeMessage(m, format)}\n`);
    text += `Messages:\n${each.join("")}`;
  }
  return text === "" ? "<empty Ready>" : `Ready MustSync=${ready.mustSync}:\n${text}`;
}
