// What a person wants to see of a node's JSON log: changes of role, starts, stops, warnings.
import pc from "picocolors";
import { z } from "zod";
import { ROLE_EVENT } from "../server/role-log.ts";

const lineSchema = z.looseObject({
  level: z.string(),
  msg: z.string(),
  event: z.string().optional(),
});
type Line = z.infer<typeof lineSchema>;

const roleSchema = z.object({
  role: z.string(),
  leader: z.number(),
  term: z.number(),
  quorum: z.boolean(),
});

function roleText(line: Line): string | undefined {
  const parsed = roleSchema.safeParse(line);
  if (!parsed.success) return undefined;
  const { role, leader, term, quorum } = parsed.data;
  const inTerm = pc.dim(`term ${term}`);
  if (role === "leader") return `${pc.bold(pc.green("leader"))}      ${inTerm}`;
  if (role === "candidate") return `${pc.yellow("candidate")}   ${inTerm}`;
  if (leader === 0 || !quorum) return `${pc.yellow("no leader")}   ${inTerm}`;
  return `follows n${leader}  ${inTerm}`;
}

/** The sentence to show for a line of a node's output; undefined = nothing. */
export function readableLine(raw: string): string | undefined {
  let line: Line;
  try {
    line = lineSchema.parse(JSON.parse(raw));
  } catch {
    // Not from the logger: the runtime itself speaks, and only when something is wrong.
    return pc.red(raw);
  }
  if (line.event === ROLE_EVENT) return roleText(line);
  switch (line.level) {
    case "fatal":
      return pc.bold(pc.red(`FATAL ${line.msg}`));
    case "error":
      return pc.red(line.msg);
    case "warn":
      return pc.yellow(line.msg);
    default:
      return undefined;
  }
}
