// Who sits at the terminal: a saved sign-in, a login, or a new account.
import { createHash } from "node:crypto";
import type { TlsOptions } from "@parley/client/grpc";
import {
  type LoginResponse,
  ParleyError,
  type RegisterResponse,
  RegistrationMode,
  StatusCode,
} from "@parley/protocol";
import { registrationText } from "../cli/account-commands.ts";
import {
  type CommonFlags,
  deviceName,
  newPassword,
  passwordFor,
  savedSignIns,
  withGuest,
} from "../cli/connection.ts";
import { inviteSecretOf } from "../cli/invite-commands.ts";
import { ask, askHidden, isInteractive } from "../cli/prompt.ts";
import { resolveServers } from "../cli/servers.ts";
import { resolveTrust } from "../cli/trust.ts";
import { UsageError } from "../cli/usage-error.ts";

export interface ChatSignIn {
  readonly token: string;
  readonly tokenRevision: number;
  readonly clusterId: string;
  readonly seenRevision: number;
  readonly servers: readonly string[];
  /** Names the cluster and the account, for what is kept between runs. */
  readonly key: string;
  /** Made here, so it ends with the chat; a saved one stays. */
  readonly isOwn: boolean;
  /** Undefined: plain text. */
  readonly tls: TlsOptions | undefined;
}

export interface ChatFlags extends CommonFlags {
  readonly register: boolean;
  /** The link of an invite. */
  readonly invite?: string;
  readonly typing: boolean;
}

/** How often a person may try before the chat gives up. */
const ATTEMPTS_MAX = 5;

async function yes(question: string): Promise<boolean> {
  return /^y(es)?$/i.test(await ask(question));
}

function tell(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
}

async function chooseUsername(flags: ChatFlags, saved: string | undefined): Promise<string> {
  if (flags.username !== undefined) return flags.username;
  if (!isInteractive()) {
    if (saved !== undefined) return saved;
    throw new UsageError("Name the account with --username, or run `parley login` first.");
  }
  const suggestion = saved === undefined ? "" : ` [${saved}]`;
  const typed = await ask(`Username${suggestion}: `);
  if (typed !== "") return typed;
  if (saved !== undefined) return saved;
  throw new UsageError("A username is needed.");
}

type Reply = LoginResponse | RegisterResponse;

interface Door {
  /** Who may register. */
  mode(): Promise<RegistrationMode>;
  /** There is an invite to show. */
  readonly isInvited: boolean;
  logIn(username: string, password: string): Promise<Reply>;
  register(username: string, password: string): Promise<Reply>;
}

/** Signs in with the password, or makes the account where there is none and that is wanted. */
async function enter(flags: ChatFlags, username: string): Promise<ChatSignIn> {
  return await withGuest(flags, async ({ client, deadlineMs }, servers) => {
    const options = { deadlineMs };
    const inviteSecret = flags.invite === undefined ? "" : inviteSecretOf(flags.invite);
    const door: Door = {
      isInvited: inviteSecret !== "",
      mode: async () => (await client.call("getRegistration", {}, options)).mode,
      logIn: async (name, password) =>
        await client.login({ username: name, password, device: deviceName() }, options),
      register: async (name, password) => {
        const setupToken = process.env.PARLEY_SETUP_TOKEN ?? "";
        const fields = { username: name, password, displayName: name, setupToken, inviteSecret };
        return await client.register(fields, options);
      },
    };
    const isDialog = isInteractive() && flags.password === undefined;
    const reply = isDialog
      ? await enterByDialog(flags, username, door)
      : await enterAtOnce(flags, username, door);
    const { clusterId, revision, nodes } = client.state;
    return {
      token: reply.token,
      tokenRevision: reply.revision,
      clusterId,
      seenRevision: revision,
      servers: nodes.length > 0 ? nodes : servers,
      key: `${clusterId}-${(reply.account?.username ?? username).toLowerCase()}`,
      isOwn: true,
      tls: resolveTrust(flags, servers)?.tls,
    };
  });
}

async function enterAtOnce(flags: ChatFlags, username: string, door: Door): Promise<Reply> {
  if (!flags.register) return await door.logIn(username, await passwordFor(flags));
  const given = flags.password ?? process.env.PARLEY_PASSWORD;
  return await door.register(username, await newPassword(given));
}

/** A mistyped password or a name that is taken is told, and asked for again. */
async function enterByDialog(flags: ChatFlags, suggested: string, door: Door): Promise<Reply> {
  let username = suggested;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const password = await passwordFor(flags);
      const reply = flags.register
        ? await registerTwiceTyped(username, password, door)
        : await logInOrRegister(username, password, door);
      if (reply !== undefined) return reply;
    } catch (cause) {
      const error = ParleyError.from(cause);
      const isCorrigible =
        cause instanceof ParleyError &&
        (error.code === StatusCode.INVALID_ARGUMENT || error.code === StatusCode.ALREADY_EXISTS);
      if (!isCorrigible || attempt >= ATTEMPTS_MAX) throw cause;
      tell(error.message);
    }
    if (attempt >= ATTEMPTS_MAX) throw new UsageError("Nobody was signed in.");
    if (flags.username !== undefined) continue;
    const typed = await ask(`Username [${username}]: `);
    if (typed !== "") username = typed;
  }
}

/** `undefined`: neither; something else may be tried. */
async function logInOrRegister(
  username: string,
  password: string,
  door: Door,
): Promise<Reply | undefined> {
  try {
    return await door.logIn(username, password);
  } catch (cause) {
    const wrong = cause instanceof ParleyError && cause.reason === "WRONG_CREDENTIALS";
    if (!wrong) throw cause;
  }
  tell("There is no account with that name and password.");
  const mode = await door.mode();
  const { REGISTRATION_MODE_OPEN, REGISTRATION_MODE_INVITE_ONLY } = RegistrationMode;
  const mayRegister =
    mode === REGISTRATION_MODE_OPEN || (mode === REGISTRATION_MODE_INVITE_ONLY && door.isInvited);
  if (!mayRegister) {
    tell(registrationText(mode));
    return undefined;
  }
  if (!(await yes(`Make a new account "${username}"? [y/N] `))) return undefined;
  return await registerTwiceTyped(username, password, door);
}

/** Nobody sees what they type, so a new password is typed twice. */
async function registerTwiceTyped(
  username: string,
  password: string,
  door: Door,
): Promise<Reply | undefined> {
  const isFromTheEnvironment = process.env.PARLEY_PASSWORD !== undefined;
  if (!isFromTheEnvironment && (await askHidden("Password once more: ")) !== password) {
    tell("The two passwords differ.");
    return undefined;
  }
  const reply = await door.register(username, password);
  if (reply.account?.owner === true) tell("You are the first here, so you own this instance.");
  return reply;
}

/** Rejects with a UsageError or ParleyError when nobody could be signed in. */
export async function signInToChat(flags: ChatFlags): Promise<ChatSignIn> {
  const servers = resolveServers(flags.server);
  const tls = resolveTrust(flags, servers)?.tls;
  const token = process.env.PARLEY_TOKEN;
  if (token !== undefined && token !== "" && flags.username === undefined) {
    const key = `token-${createHash("sha256").update(token).digest("hex").slice(0, 16)}`;
    const unknown = { tokenRevision: 0, clusterId: "", seenRevision: 0 };
    return { ...unknown, token, servers, key, isOwn: false, tls };
  }
  const saved = savedSignIns().find(servers);
  const username = await chooseUsername(flags, saved?.username);
  const useSaved =
    saved !== undefined &&
    saved.username === username &&
    flags.password === undefined &&
    !flags.register;
  if (!useSaved) return await enter(flags, username);
  return {
    token: saved.token,
    tokenRevision: saved.token_revision,
    clusterId: saved.cluster_id,
    seenRevision: saved.seen_revision,
    servers: [...new Set([...servers, ...saved.servers])],
    key: `${saved.cluster_id}-${username.toLowerCase()}`,
    isOwn: false,
    tls,
  };
}
