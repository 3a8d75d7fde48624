// `parley status`: each member's role, positions and health, as one node sees them.
import { type Member, MemberRole, type StatusResponse } from "@parley/protocol";
import pc from "picocolors";
import { roleName } from "../server/role-log.ts";
import { formatAge, size } from "./format.ts";
import { type Column, formatTable } from "./table.ts";

const HTTP: Column = { title: "http", align: "left" };
const COLUMNS: readonly Column[] = [
  { title: "node", align: "left" },
  { title: "role", align: "left" },
  { title: "state", align: "left" },
  { title: "term", align: "right" },
  { title: "commit", align: "right" },
  { title: "applied", align: "right" },
  { title: "lag", align: "right" },
  { title: "log", align: "right" },
  { title: "chat", align: "right" },
  { title: "copies", align: "left" },
  { title: "address", align: "left" },
  HTTP,
  { title: "health", align: "left" },
];

export function memberRoleName(role: MemberRole): string {
  if (role === MemberRole.MEMBER_ROLE_WITNESS) return "witness";
  return role === MemberRole.MEMBER_ROLE_LEARNER ? "learner" : "voter";
}

/** As it is, and what it is on its way to. */
function roleText(member: Member): string {
  const role = memberRoleName(member.role);
  const isJoining =
    member.role === MemberRole.MEMBER_ROLE_LEARNER &&
    member.targetRole !== MemberRole.MEMBER_ROLE_LEARNER;
  const preference = member.priority > 0 ? ` (priority ${member.priority})` : "";
  return isJoining ? `${role} → ${memberRoleName(member.targetRole)}` : role + preference;
}

function health(member: Member): string {
  if (member.healthy) return pc.green("ok");
  if (member.lastContactMs === 0) return pc.red("never seen");
  return pc.red(`silent ${formatAge(member.lastContactMs)}`);
}

/** The log, the chat file, and copies of it for others. */
function storageCells({ storage, healthy, targetRole }: Member): readonly string[] {
  if (storage === undefined || !healthy) return ["-", "-", "-"];
  const { copies, copyBytes, copyAgeMs } = storage;
  if (targetRole === MemberRole.MEMBER_ROLE_WITNESS) return [size(storage.logBytes), "-", "-"];
  const age = `${Math.round(copyAgeMs / 1000)} s`;
  return [
    size(storage.logBytes),
    size(storage.chatBytes),
    copies === 0 ? "none" : `${copies}, ${size(copyBytes)}, ${age} old`,
  ];
}

function row(member: Member): readonly string[] {
  const state = roleName(member.state);
  const known = (value: number) => (member.healthy ? String(value) : "-");
  return [
    `n${member.id}`,
    roleText(member),
    state === "leader" ? pc.bold(pc.green(state)) : state,
    known(member.term),
    known(member.commitIndex),
    known(member.appliedIndex),
    known(member.lag),
    ...storageCells(member),
    member.address,
    member.httpAddress === "" ? "-" : member.httpAddress,
    health(member),
  ];
}

export interface StatusTableOptions {
  /** Without the HTTP addresses the table fits into 80 columns. */
  readonly withHttp: boolean;
}

/** While programs of two versions run side by side: which servers have yet to be upgraded. */
function upgradeLines({ members, stateVersion }: StatusResponse): readonly string[] {
  const newest = Math.max(...members.map((member) => member.stateVersion));
  if (newest <= stateVersion) return [];
  const older = members.filter(
    (member) =>
      member.stateVersion < newest && member.targetRole !== MemberRole.MEMBER_ROLE_WITNESS,
  );
  const who = older.map(({ id }) => `n${id}`).join(", ");
  const wait =
    who === ""
      ? "rises in a moment"
      : `rises once ${who} run${older.length === 1 ? "s" : ""} the newer Parley too`;
  return [pc.yellow(`upgrading: the state has version ${stateVersion} of ${newest}; it ${wait}`)];
}

export function statusLines(
  status: StatusResponse,
  options: StatusTableOptions = { withHttp: true },
): readonly string[] {
  const quorum = status.hasQuorum
    ? pc.green("a majority answers")
    : pc.yellow(`no majority; data is ${formatAge(status.staleMs)} old`);
  const leader = status.leaderId === 0 ? pc.yellow("no leader") : `leader n${status.leaderId}`;
  const members = [...status.members].sort((a, b) => a.id - b.id);
  const shown = COLUMNS.map((column) => options.withHttp || column !== HTTP);
  const wanted = <T>(cells: readonly T[]) => cells.filter((_, at) => shown[at]);
  return [
    `${leader} · term ${status.term} · ${quorum} · as n${status.nodeId} sees it`,
    pc.dim(`cluster ${status.clusterId}`),
    ...(status.removed
      ? [
          pc.red(
            `n${status.nodeId}, which answers, has been removed from the cluster; ask another server`,
          ),
        ]
      : []),
    ...upgradeLines(status),
    ...(status.joint ? [pc.yellow("a change of the membership is being carried out")] : []),
    ...formatTable(
      wanted(COLUMNS),
      members.map((member) => wanted(row(member))),
    ),
  ];
}
