// One line for each change of this node's role, for whoever watches the logs.
import type { Logger, Replica } from "@parley/node";
import { MemberRole, MemberState } from "@parley/protocol";

export const ROLE_EVENT = "role";

const ROLE_NAMES: ReadonlyMap<MemberState, string> = new Map([
  [MemberState.MEMBER_STATE_LEADER, "leader"],
  [MemberState.MEMBER_STATE_CANDIDATE, "candidate"],
  [MemberState.MEMBER_STATE_FOLLOWER, "follower"],
]);

/** A member's state in a word; "unknown" when it is out of contact. */
export function roleName(state: MemberState): string {
  return ROLE_NAMES.get(state) ?? "unknown";
}

export function logRoleChanges(replica: Replica, nodeId: number, logger: Logger): void {
  let last = "";
  const look = () => {
    const { leaderId, term, hasQuorum, members } = replica.status();
    const own = members.find((member) => member.id === nodeId);
    const witness = own?.targetRole === MemberRole.MEMBER_ROLE_WITNESS;
    const role = roleName(own?.state ?? MemberState.MEMBER_STATE_UNSPECIFIED);
    const key = `${role} ${leaderId} ${term} ${hasQuorum}`;
    if (key === last) return;
    last = key;
    const fields = { event: ROLE_EVENT, role, leader: leaderId, term, quorum: hasQuorum, witness };
    logger.info(fields, "role");
  };
  replica.onViewChanged(look);
  look();
}
