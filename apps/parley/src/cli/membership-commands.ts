// Servers come and go: `add-server`, `promote`, `demote`, `remove-server`, `replace-server`, `transfer-leader`.
import { type Member, MemberRole, ParleyError, type StatusResponse } from "@parley/protocol";
import type { Command } from "commander";
import { parseAddress } from "../config/addresses.ts";
import { wholeNumber } from "./arguments.ts";
import { CatchUp } from "./catch-up-progress.ts";
import { ask, type Method } from "./cluster-client.ts";
import { type Asked, asked, bestStatus } from "./cluster-commands.ts";
import { addServerOptions, output } from "./common-options.ts";
import type { CommonFlags } from "./connection.ts";
import { clusterJson } from "./json.ts";
import { UsageError } from "./usage-error.ts";

/** One question; what has to wait is asked again. */
const ATTEMPT_TIMEOUT_MS = 5_000;
const PAUSE_MS = 500;
/** Whoever looks on asks again for so long, when no server answers. */
const UNANSWERED_MS_MAX = 60_000;
const WAIT_SECONDS_DEFAULT = 30;
const ID_MAX = 1_000_000;

type Call = Method<unknown>;

interface ChangeFlags extends CommonFlags {
  readonly force?: boolean;
}

interface AddFlags extends CommonFlags {
  readonly learner: boolean;
  readonly wait: number;
}

function idOf(text: string | undefined): number {
  const id = Number(text);
  if (text === undefined || !/^\d+$/.test(text) || id < 1 || id > ID_MAX) {
    throw new UsageError(
      `"${text ?? ""}" is no id of a server: give a whole number of 1–${ID_MAX}.`,
    );
  }
  return id;
}

function addressOf(text: string): string {
  if (parseAddress(text) === undefined) throw new UsageError(`"${text}" is not host:port.`);
  return text;
}

/** The servers to ask, and the other arguments: an address may come first. */
function splitArguments(
  args: readonly string[],
  flags: CommonFlags,
): { readonly from: Asked; readonly rest: readonly string[] } {
  const [first, ...others] = args;
  if (first === undefined || parseAddress(first) === undefined) {
    return { from: asked(flags), rest: args };
  }
  return { from: asked({ ...flags, server: [first] }), rest: others };
}

function expectCount(rest: readonly string[], min: number, max: number, usage: string): void {
  if (rest.length < min || rest.length > max) throw new UsageError(`usage: ${usage}`);
}

/** Asks until it is done, or refused for good, or the time is over: what says when to try again may pass. */
async function change(from: Asked, timeoutMs: number, call: Call): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      await changeOnce(from, deadline - performance.now(), call);
      return;
    } catch (cause) {
      const retryMs = cause instanceof ParleyError ? cause.retryAfterMs : 0;
      if (retryMs <= 0 || performance.now() + retryMs >= deadline) throw cause;
      await pause(retryMs);
    }
  }
}

/** Asks the servers in turn, the first one that can be reached decides. */
async function changeOnce(from: Asked, timeoutMs: number, call: Call): Promise<void> {
  let failure: unknown;
  for (const address of from.servers) {
    try {
      await ask(address, { timeoutMs, token: from.token, tls: from.trust?.tls }, call);
      return;
    } catch (cause) {
      failure = cause;
      if (cause instanceof ParleyError && cause.reason !== "SHUTTING_DOWN") throw cause;
    }
  }
  throw failure;
}

function pause(ms = PAUSE_MS): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function namesOf(members: readonly Member[], role: MemberRole): string {
  const names = members.filter((member) => member.role === role).map(({ id }) => `n${id}`);
  return names.join(" ");
}

function membersText({ members }: StatusResponse): string {
  const learners = namesOf(members, MemberRole.MEMBER_ROLE_LEARNER);
  const voters = namesOf(members, MemberRole.MEMBER_ROLE_VOTER);
  const witnesses = namesOf(members, MemberRole.MEMBER_ROLE_WITNESS);
  const others = witnesses === "" ? "" : `, witnesses ${witnesses}`;
  return `voters ${voters}${others}${learners === "" ? "" : `, learners ${learners}`}`;
}

// ---- add-server ------------------------------------------------------------------------------------

/** Until the server is a learner; says once what it waits for. */
async function add(
  from: Asked,
  request: { readonly id: number; readonly address: string; readonly learner: boolean },
  waitMs: number,
  say: (text: string) => void,
): Promise<void> {
  const deadline = performance.now() + waitMs;
  let said = "";
  for (;;) {
    try {
      await change(from, ATTEMPT_TIMEOUT_MS, (client, metadata, options, callback) => {
        client.addServer(request, metadata, options, callback);
      });
      return;
    } catch (cause) {
      if (!(cause instanceof ParleyError) || !canPass(cause) || performance.now() >= deadline) {
        throw cause;
      }
      if (cause.message !== said) say(cause.message);
      said = cause.message;
    }
    await pause();
  }
}

/** Whether asking again may help. */
function canPass({ reason }: ParleyError): boolean {
  return (
    reason === "OUTCOME_UNKNOWN" ||
    reason === "SERVER_UNREACHABLE" ||
    reason === "NO_QUORUM" ||
    reason === "NOT_READY" ||
    reason === "CHANGE_IN_PROGRESS"
  );
}

/** Shows the learner's catching-up until it is what it is meant to be. Interrupting it stops nothing but the showing. */
async function follow(
  from: Asked,
  id: number,
  learner: boolean,
  say: (text: string) => void,
): Promise<StatusResponse> {
  const progress = new CatchUp();
  let answeredMs = performance.now();
  let isIntroduced = false;
  for (;;) {
    let status: StatusResponse;
    try {
      status = await bestStatus(from, ATTEMPT_TIMEOUT_MS);
      answeredMs = performance.now();
    } catch (cause) {
      // It goes on without anybody looking.
      if (performance.now() - answeredMs > UNANSWERED_MS_MAX) throw cause;
      say(`nobody answers at ${from.servers.join(", ")}; asking again`);
      await pause();
      continue;
    }
    const member = status.members.find((one) => one.id === id);
    if (member === undefined) {
      throw new ParleyError("SERVER_NOT_FOUND", `Server ${id} has been removed meanwhile.`);
    }
    if (member.role !== MemberRole.MEMBER_ROLE_LEARNER) return status;
    const leader = status.members.find((one) => one.id === status.leaderId);
    const text = progress.describe(member, leader?.commitIndex ?? 0, performance.now());
    if (learner && progress.isCaughtUp) return status;
    if (!isIntroduced) {
      say(`server ${id} is a learner and catches up; interrupting this does not stop it`);
      isIntroduced = true;
    }
    say(text);
    await pause();
  }
}

async function addServer(
  anyAddress: string,
  id: number,
  address: string,
  flags: AddFlags,
): Promise<void> {
  const from = asked({ ...flags, server: [addressOf(anyAddress)] });
  const say = (text: string) => {
    if (!flags.json) process.stdout.write(`${text}\n`);
  };
  const request = { id, address: addressOf(address), learner: flags.learner };
  await add(from, request, flags.wait * 1_000, say);
  const status = await follow(from, id, flags.learner, say);
  const role = flags.learner ? "a read replica, and has caught up" : "a voter";
  output(
    flags.json,
    () => clusterJson(status),
    () => [`server ${id} is ${role}: ${membersText(status)}`],
  );
}

// ---- The others -------------------------------------------------------------------------------------

async function tell(from: Asked, flags: CommonFlags, what: string): Promise<void> {
  const status = await bestStatus(from, flags.timeout * 1_000);
  output(
    flags.json,
    () => clusterJson(status),
    () => [`${what}: ${membersText(status)}`],
  );
}

async function replace(args: readonly string[], flags: ChangeFlags): Promise<void> {
  const usage = "parley replace-server [host:port] <old id> <new id> [<new address>]";
  const { from, rest } = splitArguments(args, flags);
  expectCount(rest, 2, 3, usage);
  const [oldId, newId] = [idOf(rest[0]), idOf(rest[1])];
  const say = (text: string) => {
    if (!flags.json) process.stdout.write(`${text}\n`);
  };
  const address = rest[2];
  if (address !== undefined) {
    const request = { id: newId, address: addressOf(address), learner: true };
    await add(from, request, WAIT_SECONDS_DEFAULT * 1_000, say);
    await follow(from, newId, true, say);
  }
  await change(from, flags.timeout * 1_000, (client, metadata, options, callback) => {
    const request = { oldId, newId, force: flags.force === true };
    client.replaceServer(request, metadata, options, callback);
  });
  await tell(from, flags, `server ${newId} has taken the place of server ${oldId}`);
}

interface OneServerCommand {
  readonly name: string;
  readonly description: string;
  readonly done: (id: number) => string;
  readonly takesForce: boolean;
  readonly call: (id: number, force: boolean) => Call;
}

const ONE_SERVER_COMMANDS: readonly OneServerCommand[] = [
  {
    name: "promote",
    description: "make a learner that has caught up a voter",
    done: (id) => `server ${id} is a voter`,
    takesForce: false,
    call: (id) => (client, metadata, options, callback) => {
      client.promoteServer({ id }, metadata, options, callback);
    },
  },
  {
    name: "demote",
    description: "make a voter a learner, which serves clients and does not vote",
    done: (id) => `server ${id} is a learner`,
    takesForce: true,
    call: (id, force) => (client, metadata, options, callback) => {
      client.demoteServer({ id, force }, metadata, options, callback);
    },
  },
  {
    name: "remove-server",
    description: "take a server out of the cluster, dead or alive",
    done: (id) => `server ${id} is removed`,
    takesForce: true,
    call: (id, force) => (client, metadata, options, callback) => {
      client.removeServer({ id, force }, metadata, options, callback);
    },
  },
];

export function addMembershipCommands(program: Command): void {
  addServerOptions(program.command("add-server"))
    .description("add a server: as a learner, promoted by the leader once it has caught up")
    .argument("<any-address>", "any server of the cluster, host:port")
    .argument("<new-id>", "the new server's id", wholeNumber(1, ID_MAX))
    .argument("<new-address>", "where the others reach it, host:port")
    .option("--learner", "leave it a read replica: it serves clients and never votes", false)
    .option(
      "--wait <seconds>",
      "how long to wait for the new server to be started",
      wholeNumber(0, 86_400),
      WAIT_SECONDS_DEFAULT,
    )
    .action(addServer);

  for (const { name, description, done, takesForce, call } of ONE_SERVER_COMMANDS) {
    const command = addServerOptions(program.command(name))
      .description(description)
      .argument("<args...>", "[host:port of any server] <id>");
    if (takesForce) {
      command.option("--force", "even if fewer voters than a majority are left alive", false);
    }
    command.action(async (args: readonly string[], flags: ChangeFlags) => {
      const { from, rest } = splitArguments(args, flags);
      expectCount(rest, 1, 1, `parley ${name} [host:port] <id>`);
      const id = idOf(rest[0]);
      await change(from, flags.timeout * 1_000, call(id, flags.force === true));
      await tell(from, flags, done(id));
    });
  }

  addServerOptions(program.command("replace-server"))
    .description("put one server in the place of another, in one change")
    .argument("<args...>", "[host:port of any server] <old id> <new id> [<new address>]")
    .option("--force", "even if fewer voters than a majority are left alive", false)
    .action(replace);

  addServerOptions(program.command("transfer-leader"))
    .description("let another server lead: the one named, or whoever has the most")
    .argument("[args...]", "[host:port of any server] [<id>]")
    .action(async (args: readonly string[], flags: CommonFlags) => {
      const { from, rest } = splitArguments(args, flags);
      expectCount(rest, 0, 1, "parley transfer-leader [host:port] [<id>]");
      const toId = rest.length === 0 ? 0 : idOf(rest[0]);
      await change(from, flags.timeout * 1_000, (client, metadata, options, callback) => {
        client.transferLeadership({ toId }, metadata, options, callback);
      });
      const { leaderId } = await bestStatus(from, flags.timeout * 1_000);
      output(
        flags.json,
        () => JSON.stringify({ leader_id: leaderId }),
        () => [`n${leaderId} leads`],
      );
    });
}
