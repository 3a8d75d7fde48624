// `parley status`: each member's role, positions and health, as one node sees them.
import { type Member, MemberRole, type StatusResponse } from "@parley/protocol";
import pc from "picocolors";
import { roleName } from "../server/role-log.ts";
import { formatAge } from "./format.ts";
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
  { title: "address", align: "left" },
  HTTP,
  { title: "health", align: "left" },
];

export function memberRoleName(role: MemberRole): string {
  return role === MemberRole.MEMBER_ROLE_LEARNER ? "learner" : "voter";
}

function health(member: Member): string {
  if (member.healthy) return pc.green("ok");
  if (member.lastContactMs === 0) return pc.red("never seen");
  return pc.red(`silent ${formatAge(member.lastContactMs)}`);
}

function row(member: Member): readonly string[] {
  const state = roleName(member.state);
  const known = (value: number) => (member.healthy ? String(value) : "-");
  return [
    `n${member.id}`,
    memberRoleName(member.role),
    state === "leader" ? pc.bold(pc.green(state)) : state,
    known(member.term),
    known(member.commitIndex),
    known(member.appliedIndex),
    known(member.lag),
    member.address,
    member.httpAddress === "" ? "-" : member.httpAddress,
    health(member),
  ];
}

export interface StatusTableOptions {
  /** Without the HTTP addresses the table fits into 80 columns. */
  readonly withHttp: boolean;
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
    ...formatTable(
      wanted(COLUMNS),
      members.map((member) => wanted(row(member))),
    ),
  ];
}
