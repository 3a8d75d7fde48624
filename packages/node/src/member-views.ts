// What clients are told of each member: its role, and whether this node hears of it. Of a member that comes and goes it is told every few
// seconds at most, because every client gets every change.
import type { MemberRole, MemberView } from "@parley/protocol";

/** Between two changes of what is told of one member. */
export const HEARD_HOLD_MS = 3_000;

export interface MemberNow {
  readonly nodeId: number;
  readonly role: MemberRole;
  readonly heard: boolean;
}

export class MemberViews {
  #views: MemberView[] = [];
  /** When it was last told otherwise of whether a member is heard of (monotonic), by node id. */
  readonly #turnedMs = new Map<number, number>();

  /** The same list until something of it changes. */
  get now(): MemberView[] {
    return this.#views;
  }

  /** `members`: as they are at `nowMs`, monotonic. */
  look(members: readonly MemberNow[], nowMs: number): void {
    const before = new Map(this.#views.map((view) => [view.nodeId, view]));
    const views = members.map((member) => this.#viewOf(member, before.get(member.nodeId), nowMs));
    const isSame =
      views.length === before.size && views.every((one) => before.get(one.nodeId) === one);
    if (isSame) return;
    this.#views = views;
    const ids = new Set(views.map(({ nodeId }) => nodeId));
    for (const nodeId of this.#turnedMs.keys()) if (!ids.has(nodeId)) this.#turnedMs.delete(nodeId);
  }

  #viewOf({ nodeId, role, heard }: MemberNow, before: MemberView | undefined, nowMs: number) {
    if (before === undefined) return { nodeId, role, heard };
    const turnedMs = this.#turnedMs.get(nodeId) ?? Number.NEGATIVE_INFINITY;
    const turns = heard !== before.heard && nowMs - turnedMs >= HEARD_HOLD_MS;
    if (turns) this.#turnedMs.set(nodeId, nowMs);
    if (!turns && role === before.role) return before;
    return { nodeId, role, heard: turns ? heard : before.heard };
  }
}
