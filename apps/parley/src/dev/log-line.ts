// What a person wants to see of a node's JSON log: changes of role, starts, stops, warnings.
import pc from "picocolors";
import { z } from "zod";
import { ROLE_EVENT } from "../server/role-log.ts";

const lineSchema = z.looseObject({
  level: z.string(),
  msg: z.string(),
  event: z.string().optional(),
  reason: z.string().optional(),
  source: z.string().optional(),
});
type Line = z.infer<typeof lineSchema>;

const roleSchema = z.object({
  role: z.string(),
  leader: z.number(),
  term: z.number(),
  quorum: z.boolean(),
  witness: z.boolean().default(false),
});

/** Refusals of peers that end by themselves while nodes start and stop, or that the refused node tells. */
const QUIET_REASONS: ReadonlySet<string> = new Set(["NOT_READY", "SHUTTING_DOWN", "WIPED_DISK"]);

/** What the core warns of shows as a change of role already. */
function isQuiet({ reason, source }: Line): boolean {
  return source === "raft" || QUIET_REASONS.has(reason ?? "");
}

/** Reads the output of one process, from its start. */
export class LogReader {
  #hasFollowed = false;
  /** The role that was shown last; the same one in a new term is no change of role. */
  #shown = "";

  /** The sentence to show for a line; undefined = nothing. */
  readable(raw: string): string | undefined {
    let line: Line;
    try {
      line = lineSchema.parse(JSON.parse(raw));
    } catch {
      // Not from the logger: the runtime itself speaks, and only when something is wrong.
      return pc.red(raw);
    }
    if (line.event === ROLE_EVENT) return this.#roleText(line);
    switch (line.level) {
      case "fatal":
        return pc.bold(pc.red(`FATAL ${line.msg}`));
      case "error":
        return pc.red(line.msg);
      case "warn":
        return isQuiet(line) ? undefined : pc.yellow(line.msg);
      default:
        return undefined;
    }
  }

  #roleText(line: Line): string | undefined {
    const parsed = roleSchema.safeParse(line);
    if (!parsed.success) return undefined;
    const { role, leader, term, quorum, witness } = parsed.data;
    const inTerm = pc.dim(`term ${term}`);
    if (role === "leader" && quorum) {
      this.#hasFollowed = true;
      const why = witness ? " (a witness: until a data node is up to date)" : "    ";
      return this.#change(role, `${pc.bold(pc.green("leader"))}${why} ${inTerm}`);
    }
    if (leader !== 0 && quorum) {
      this.#hasFollowed = true;
      return this.#change(`follows n${leader}`, `follows n${leader} ${inTerm}`);
    }
    // A process that has just started looks for its leader; only losing one is news.
    if (!this.#hasFollowed) return undefined;
    const name = role === "candidate" ? "candidate" : "no leader";
    return this.#change(name, `${pc.yellow(name)}  ${inTerm}`);
  }

  #change(role: string, text: string): string | undefined {
    if (role === this.#shown) return undefined;
    this.#shown = role;
    return text;
  }
}
