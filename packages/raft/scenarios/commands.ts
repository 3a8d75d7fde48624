/** The commands of the scenario language; what each one does is said above its handler. */
import type { ConfChange, ConfChangeTransition, ProposeResult } from "../src/index.ts";
import { describeProgress, makeMessage, parseChanges } from "../src/index.ts";
import { addNodes } from "./add-nodes.ts";
import { bool, firstInteger, integer, option } from "./arguments.ts";
import type { Arg, Directive } from "./datadriven.ts";
import type { Environment, Member, Recipient } from "./environment.ts";
import { ScenarioError } from "./environment.ts";
import { describeMessage } from "./notation.ts";
import { LEVELS } from "./output.ts";

type Handler = (env: Environment, directive: Directive) => void;

const utf8 = new TextEncoder();

/** Runs one command and returns what it prints; `ok` if that is nothing. */
export function runDirective(env: Environment, directive: Directive): string {
  const handler = COMMANDS[directive.command];
  try {
    if (handler === undefined) throw new ScenarioError("unknown command");
    handler(env, directive);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const prefix = error instanceof ScenarioError ? "" : "panic: ";
    env.output.writeError(`${prefix}${error.message}`);
  }
  const text = env.output.take();
  return text === "" ? "ok" : text.replace(/\n$/, "");
}

function firstMember(env: Environment, directive: Directive): Member {
  return env.member(firstInteger(directive));
}

/** All arguments without a value are members. */
function members(env: Environment, { args }: Directive): Member[] {
  return args
    .filter(({ values }) => values.length === 0)
    .map(({ key }) => env.member(integer(key, key)));
}

/** For several members each one's output gets a heading. */
function forEachMember(
  env: Environment,
  directive: Directive,
  what: string,
  work: (member: Member) => void,
): void {
  const chosen = members(env, directive);
  for (const member of chosen) {
    if (chosen.length === 1) {
      work(member);
    } else {
      env.output.write(`> ${member.id} ${what}\n`);
      env.output.indented(() => work(member));
    }
  }
}

function recipients({ args }: Directive): { type: string | null; who: Recipient[] } {
  let type: string | null = null;
  const who: Recipient[] = [];
  const deliverTo = ({ key }: Arg): void => {
    who.push({ id: integer(key, key), drop: false });
  };
  for (const arg of args) {
    if (arg.values.length === 0) deliverTo(arg);
    else if (arg.key === "type") type = arg.values[0] ?? null;
    else if (arg.key !== "drop") throw new ScenarioError(`unknown option ${arg.key}`);
    else for (const value of arg.values) who.push({ id: integer(value, value), drop: true });
  }
  const dropped = new Set(who.filter(({ drop }) => drop).map(({ id }) => id));
  const both = who.find(({ id, drop }) => !drop && dropped.has(id));
  if (both !== undefined) {
    throw new ScenarioError(`can't both deliver and drop msgs to ${both.id}`);
  }
  return { type, who };
}

function setLogLevel(env: Environment, name: string): void {
  const level = (LEVELS as readonly string[]).indexOf(name.toUpperCase());
  if (level < 0) throw new ScenarioError(`log levels must be either of [${LEVELS.join(" ")}]`);
  env.output.level = level;
}

function stabilize(env: Environment, directive: Directive): void {
  const chosen = members(env, directive);
  const before = env.output.level;
  const level = option(directive, "log-level");
  if (level !== undefined) setLogLevel(env, level);
  try {
    env.stabilize(chosen.length > 0 ? chosen : env.members);
  } finally {
    env.output.level = before;
  }
}

/** A conf change that doesn't fit is not an error: an empty entry is appended in its place. */
function reportProposal(result: ProposeResult): void {
  if (result.ok || result.reason === "conf-change-refused") return;
  throw new ScenarioError("raft proposal dropped");
}

const TRANSITIONS: Readonly<Record<string, ConfChangeTransition>> = {
  auto: "auto",
  implicit: "joint-implicit",
  explicit: "joint-explicit",
};

function proposeConfChange(env: Environment, directive: Directive): void {
  const { node } = firstMember(env, directive);
  const v1 = option(directive, "v1") ?? "false";
  const transition = TRANSITIONS[option(directive, "transition") ?? "auto"];
  if (transition === undefined) throw new ScenarioError("unknown transition");
  const changes = parseChanges(directive.input);
  if (changes === null) throw new ScenarioError(`unknown input: ${directive.input}`);
  const context = utf8.encode(option(directive, "context") ?? "");
  let change: ConfChange = { version: 2, transition, changes, context };
  if (bool(v1, "v1")) {
    const [single] = changes;
    if (single === undefined || changes.length > 1 || transition !== "auto") {
      throw new ScenarioError("v1 conf change can only have one operation and no transition");
    }
    change = { version: 1, change: single, context };
  }
  reportProposal(node.proposeConfChange(change));
}

function sendSnapshot(env: Environment, directive: Directive): void {
  const from = firstMember(env, directive);
  const to = integer(directive.args[1]?.key, "the receiver");
  const snapshot = from.storage.latest();
  const { term } = from.node;
  const message = makeMessage({ type: "MsgSnap", from: from.id, to, term, snapshot });
  env.messages.push(message);
  env.output.write(describeMessage(message));
}

function printState(env: Environment): void {
  for (const member of env.members) {
    if (!member.up) {
      env.output.write(`${member.id}: down\n`);
      continue;
    }
    const { config, state, term, lead } = member.node.status();
    const votes = config.voters.includes(member.id) || config.votersOutgoing.includes(member.id);
    const voter = votes ? "(Voter)" : "(Non-Voter)";
    env.output.write(`${member.id}: ${state} ${voter} Term:${term} Lead:${lead}\n`);
  }
}

const COMMANDS: Readonly<Record<string, Handler>> = {
  /** A place to stop a debugger at. */
  _breakpoint: () => {},

  /** add-nodes <count> voters=(1,2,3) learners=(4) index=2 content=foo <options> */
  "add-nodes": addNodes,

  /** campaign <id> */
  campaign: (env, d) => firstMember(env, d).node.campaign(),

  /** pre-campaign <id>: forget the leader, then campaign. */
  "pre-campaign": (env, d) => firstMember(env, d).node.preCampaign(),

  /** compact <id> <index>: drop the stored log up to and including the index. */
  compact: (env, d) => {
    const member = firstMember(env, d);
    const index = integer(d.args[1]?.key, "the new first index");
    if (member.storage.compact(index) === "compacted") {
      throw new ScenarioError("requested index is unavailable due to compaction");
    }
    env.printLog(member);
  },

  /** crash <id>: the process ends; what isn't stored is lost. */
  crash: (env, d) => env.crash(firstMember(env, d)),

  /** restart <id> [applied=<index>]: from what is stored, applied up to the index. */
  restart: (env, d) => {
    const member = firstMember(env, d);
    const applied = option(d, "applied");
    const stored = member.storage.latest().index;
    member.restart(applied === undefined ? stored : integer(applied, "applied"));
  },

  /** deliver-msgs <id>... drop=(2,3) type=MsgApp */
  "deliver-msgs": (env, d) => {
    const { type, who } = recipients(d);
    if (env.deliver(type, who) === 0) env.output.write("no messages\n");
  },

  /** process-ready <id>... */
  "process-ready": (env, d) => {
    forEachMember(env, d, "handling Ready", (member) => env.processReady(member));
  },

  /** process-append-thread <id>... */
  "process-append-thread": (env, d) => {
    forEachMember(env, d, "processing append thread", (m) => env.processAppendThread(m));
  },

  /** process-apply-thread <id>... */
  "process-apply-thread": (env, d) => {
    forEachMember(env, d, "processing apply thread", (m) => env.processApplyThread(m));
  },

  /** log-level debug|info|warn|error|fatal|none: none silences everything but errors. */
  "log-level": (env, d) => setLogLevel(env, d.args[0]?.key ?? ""),

  /** raft-log <id>: what is stored. */
  "raft-log": (env, d) => env.printLog(firstMember(env, d)),

  /** raft-state: everybody's role, as they see it. */
  "raft-state": printState,

  /** read-index <id> <context> */
  "read-index": (env, d) => {
    const result = firstMember(env, d).node.readIndex(utf8.encode(d.args[1]?.key ?? ""));
    if (!result.ok) throw new ScenarioError(`raft read refused: ${result.reason}`);
  },

  /** data-floor <id>: up to where its log may be truncated. */
  "data-floor": (env, d) => env.output.write(`${firstMember(env, d).node.dataFloor}\n`),

  /** set-randomized-election-timeout <id> timeout=5 */
  "set-randomized-election-timeout": (env, d) => {
    const timeout = integer(option(d, "timeout"), "timeout");
    firstMember(env, d).node.setRandomizedElectionTimeout(timeout);
  },

  /** stabilize [<id>...] [log-level=none] */
  stabilize,

  /** status <id>: a leader's view of everybody's progress. */
  status: (env, d) => {
    for (const [id, progress] of firstMember(env, d).node.status().progress) {
      env.output.write(`${id}: ${describeProgress(progress)}\n`);
    }
  },

  /** tick-election <id>: an election timeout passes. */
  "tick-election": (env, d) => {
    const { node, config } = firstMember(env, d);
    for (let i = 0; i < config.electionTick; i++) node.tick();
  },

  /** tick-heartbeat <id>: a heartbeat interval passes. */
  "tick-heartbeat": (env, d) => {
    const { node, config } = firstMember(env, d);
    for (let i = 0; i < config.heartbeatTick; i++) node.tick();
  },

  /** transfer-leadership from=1 to=4 */
  "transfer-leadership": (env, d) => {
    const from = env.member(integer(option(d, "from"), "from"));
    from.node.transferLeader(integer(option(d, "to"), "to"));
  },

  /** forget-leader <id> */
  "forget-leader": (env, d) => firstMember(env, d).node.forgetLeader(),

  /** send-snapshot <from> <to>: queues the newest snapshot of one for the other. */
  "send-snapshot": sendSnapshot,

  /** propose <id> <data> */
  propose: (env, d) => {
    const [, data, ...more] = d.args;
    if (data === undefined || data.values.length > 0 || more.length > 0) {
      throw new ScenarioError("propose takes a node and what to propose");
    }
    reportProposal(firstMember(env, d).node.propose([utf8.encode(data.key)]));
  },

  /** propose-conf-change <id> v1=true transition=auto|implicit|explicit, then `v3 l4 r5 u6` */
  "propose-conf-change": proposeConfChange,

  /** report-unreachable <id> <peer> */
  "report-unreachable": (env, d) => {
    firstMember(env, d).node.reportUnreachable(integer(d.args[1]?.key, "the peer"));
  },

  /** report-snapshot <id> <peer> ok|failed: how sending one has ended. */
  "report-snapshot": (env, d) => {
    const outcome = d.args[2]?.key;
    if (outcome !== "ok" && outcome !== "failed") throw new ScenarioError("ok or failed?");
    const peer = integer(d.args[1]?.key, "the peer");
    firstMember(env, d).node.reportSnapshot(peer, outcome === "ok");
  },
};
