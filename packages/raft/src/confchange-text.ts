/** Configuration changes as log texts and scenario files write them. */
import type {
  ConfChange,
  ConfChangeKind,
  ConfChangeSingle,
  ConfChangeTransition,
} from "./types.ts";

const LETTERS: Readonly<Record<ConfChangeKind, string>> = {
  "add-voter": "v",
  "add-learner": "l",
  remove: "r",
  update: "u",
};
const KIND_NAMES: Readonly<Record<ConfChangeKind, string>> = {
  "add-voter": "ConfChangeAddNode",
  "add-learner": "ConfChangeAddLearnerNode",
  remove: "ConfChangeRemoveNode",
  update: "ConfChangeUpdateNode",
};
const TRANSITION_NAMES: Readonly<Record<ConfChangeTransition, string>> = {
  auto: "ConfChangeTransitionAuto",
  "joint-implicit": "ConfChangeTransitionJointImplicit",
  "joint-explicit": "ConfChangeTransitionJointExplicit",
};

/** `v3 l4 r5`: voter 3, learner 4, 5 removed. */
export function describeChanges(changes: readonly ConfChangeSingle[]): string {
  return changes.map(({ kind, nodeId }) => `${LETTERS[kind]}${nodeId}`).join(" ");
}

/** The inverse of {@link describeChanges}; null if `text` is something else. */
export function parseChanges(text: string): ConfChangeSingle[] | null {
  const changes: ConfChangeSingle[] = [];
  for (const token of text.trim().split(/\s+/)) {
    if (token === "") continue;
    const match = /^([vlru])([0-9]+)$/.exec(token);
    const found = Object.entries(LETTERS).find(([, letter]) => letter === match?.[1]);
    if (match === null || found === undefined) return null;
    changes.push({ kind: found[0] as ConfChangeKind, nodeId: Number(match[2]) });
  }
  return changes;
}

function describeSingle({ kind, nodeId }: ConfChangeSingle): string {
  return `type:${KIND_NAMES[kind]} node_id:${nodeId}`;
}

/** All of a change, for log texts. */
export function describeConfChange(change: ConfChange): string {
  if (change.version === 1) return describeSingle(change.change);
  const changes = change.changes.map((single) => ` changes:{${describeSingle(single)}}`);
  return `transition:${TRANSITION_NAMES[change.transition]}${changes.join("")}`;
}
