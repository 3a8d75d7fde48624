/**
 * Proposals at the leader (paper, 5.3), and the check that a configuration change fits: only one may be
 * unapplied at a time (thesis, 4.1).
 */
import type { ProposalRefusal, ProposeResult } from "./api.ts";
import { asV2, nextConfig } from "./confchange.ts";
import { decodeConfChange } from "./confchange-codec.ts";
import { describeConfChange } from "./confchange-text.ts";
import { assert } from "./invariant.ts";
import { appendAsLeader, broadcastAppend } from "./replication.ts";
import type { RaftState } from "./state.ts";
import { hex } from "./state.ts";
import { describeConfig } from "./tracker/tracker.ts";
import type { ConfChange, Entry } from "./types.ts";
import { NO_BYTES, NONE } from "./types.ts";
import { lacksForPromotion, promotedBy } from "./witness.ts";

/** What is to become an entry; the leader gives it its term and index. */
export type Proposed = Pick<Entry, "type" | "data">;

const EMPTY: Proposed = { type: "EntryNormal", data: NO_BYTES };

export function refused(reason: ProposalRefusal, detail: string): ProposeResult {
  return { ok: false, reason, detail };
}

/** Appends the proposed entries to the leader's log and replicates them, all or none. */
export function proposeAsLeader(r: RaftState, proposed: readonly Proposed[]): ProposeResult {
  assert(proposed.length > 0, `${hex(r.id)} stepped empty MsgProp`);
  if (!r.tracker.progress.has(r.id)) {
    return refused("not-a-member", "this leader has been removed");
  }
  if (r.leadTransferee !== NONE) {
    r.logger.debug?.(
      `${hex(r.id)} [term ${r.term}] transfer leadership to ${hex(r.leadTransferee)} is in progress; dropping proposal`,
    );
    return refused("transferring", `leadership is being handed to ${r.leadTransferee}`);
  }
  if (r.isWitness(r.id) && proposed.some(({ type }) => type === "EntryNormal")) {
    r.logger.debug?.(`${hex(r.id)} [term ${r.term}] leads as a witness; dropping proposal`);
    return refused("witness", "a witness leads until a data node is up to date");
  }
  const before = r.pendingConfIndex;
  const promotingBefore = r.promoting;
  const checked = checkConfChanges(r, proposed);
  if (!checked.ok) return checked.result;
  const first = r.log.lastIndex() + 1;
  if (!appendAsLeader(r, checked.entries)) {
    r.pendingConfIndex = before;
    r.promoting = promotingBefore;
    return refused("uncommitted-limit", "too much is waiting for its commit");
  }
  broadcastAppend(r);
  if (checked.refusal !== null) return refused("conf-change-refused", checked.refusal);
  return { ok: true, kind: "appended", term: r.term, first, last: first + proposed.length - 1 };
}

type Checked =
  | { readonly ok: true; readonly entries: readonly Proposed[]; readonly refusal: string | null }
  | { readonly ok: false; readonly result: ProposeResult };

/** Puts an empty entry in place of every configuration change that doesn't fit. */
function checkConfChanges(r: RaftState, proposed: readonly Proposed[]): Checked {
  if (proposed.every((entry) => entry.type === "EntryNormal")) {
    return { ok: true, entries: proposed, refusal: null };
  }
  const firstIndex = r.log.lastIndex() + 1;
  let refusal: string | null = null;
  const entries: Proposed[] = [];
  for (const entry of proposed) {
    if (entry.type === "EntryNormal") {
      entries.push(entry);
      continue;
    }
    const decoded = decodeConfChange(entry.data);
    if (!decoded.ok) return { ok: false, result: refused("malformed-conf-change", decoded.detail) };
    const { change } = decoded;
    const problem = r.settings.disableConfChangeValidation ? null : misfit(r, change);
    if (problem === null) {
      r.pendingConfIndex = firstIndex + entries.length;
      r.promoting = promotedBy(r, change);
      entries.push(entry);
    } else {
      refusal = problem;
      r.logger.info?.(
        `${hex(r.id)} ignoring conf change ${describeConfChange(change)} at config ${describeConfig(r.tracker.config)}: ${problem}`,
      );
      entries.push(EMPTY);
    }
  }
  return { ok: true, entries, refusal };
}

/** Why the change can't be made now, or null. */
function misfit(r: RaftState, change: ConfChange): string | null {
  const leaves = asV2(change).changes.length === 0;
  if (r.pendingConfIndex > r.log.applied) {
    return `possible unapplied conf change at index ${r.pendingConfIndex} (applied to ${r.log.applied})`;
  }
  if (r.tracker.isJoint() && !leaves) return "must transition out of joint config first";
  if (!r.tracker.isJoint() && leaves) return "not in joint state; refusing empty conf change";
  // As nothing else is pending, this is the configuration that the change will be applied to. Once it is in the
  // log, a change that can't be applied would stop every member.
  const outcome = nextConfig(r.tracker, r.log.lastIndex(), change);
  return outcome.ok ? lacksForPromotion(r, change) : outcome.detail;
}
