// Whether a member may write, or an admin has forbidden it.
import type { ParleyError } from "@parley/protocol";
import { type MemberRow, UNTIL_LIFTED } from "../rows.ts";
import { roomWritingEvent } from "../views.ts";
import { type ApplyContext, memberChange, refuse } from "./context.ts";

/** Why a member may not write in the room now. It ends by replicated time, which is the same on every node. */
export function mutedProblem(
  { stampMs }: ApplyContext,
  { writeForbiddenUntilMs: untilMs }: MemberRow,
): ParleyError | undefined {
  if (stampMs >= untilMs) return undefined;
  if (untilMs === UNTIL_LIFTED) return refuse("MUTED", "An admin of this room has muted you.");
  const until = `${new Date(untilMs).toISOString().slice(0, 16)} UTC`.replace("T", " ");
  return refuse("MUTED", `An admin of this room has muted you until ${until}.`, {
    subject: "until",
    limit: untilMs,
  });
}

/** `untilMs`: 0 = it may write. Only its own devices are told; others see it in the list of members. */
export function forbidWriting(context: ApplyContext, member: MemberRow, untilMs: number): void {
  if (member.writeForbiddenUntilMs === untilMs) return;
  const { state, revision } = context;
  member.writeForbiddenUntilMs = untilMs;
  member.writeForbiddenRevision = revision;
  state.changedMember(member);
  if (member.role === 0) return;
  context.changes.push(memberChange(member));
  context.toAccount(member.accountId, roomWritingEvent(revision, member));
}
