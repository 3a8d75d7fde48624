// The status line: which node, which leader, whether what is shown is current, what waits.
import { type ClientState, typingText } from "@parley/client";

export interface StatusInput {
  readonly state: ClientState;
  /** When `state` was taken; wall clock. */
  readonly atMs: number;
  readonly username: string;
  /** Unread messages in rooms that are not open. */
  readonly unreadElsewhere: number;
  /** Who types in the open room. */
  readonly typists: readonly string[];
}

function freshness({ state, atMs }: StatusInput): string {
  if (state.phase !== "online") return state.nodeId === 0 ? "connecting …" : "reconnecting …";
  if (state.hasQuorum) return "connected";
  const asOf = new Date(atMs - state.staleMs).toTimeString().slice(0, 8);
  return `read-only as of ${asOf} (no majority)`;
}

export function statusText(input: StatusInput): string {
  const { state, username, unreadElsewhere, typists } = input;
  const node = state.nodeId === 0 ? "no node yet" : `n${state.nodeId}`;
  const leader = state.leaderId === 0 ? "no leader" : `leader n${state.leaderId}`;
  const parts = [username, node, leader, freshness(input)];
  if (state.pendingSends > 0) parts.push(`${state.pendingSends} unsent`);
  if (unreadElsewhere > 0) parts.push(`${unreadElsewhere} unread elsewhere`);
  if (typists.length > 0) parts.push(typingText(typists));
  return ` ${parts.join(" · ")}`;
}

/** For plain output: nothing that changes all the time. */
export function plainStatusText(input: StatusInput): string {
  const { state } = input;
  const leader = state.leaderId === 0 ? "no leader" : `leader n${state.leaderId}`;
  const connected = state.phase === "online" && state.hasQuorum;
  if (connected) return `connected to n${state.nodeId}, ${leader}`;
  if (state.phase !== "online") return state.nodeId === 0 ? "connecting" : "reconnecting";
  return `read-only on n${state.nodeId}: no majority of the nodes answers`;
}
