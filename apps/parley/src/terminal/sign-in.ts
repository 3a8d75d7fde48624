// Who sits at the terminal: a saved sign-in, a login, or a new account.
import { createHash } from "node:crypto";
import type { TlsOptions } from "@parley/client/grpc";
import { ParleyError } from "@parley/protocol";
import {
  type CommonFlags,
  deviceName,
  newPassword,
  passwordFor,
  savedSignIns,
  withGuest,
} from "../cli/connection.ts";
import { ask, isInteractive } from "../cli/prompt.ts";
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
}

async function yes(question: string): Promise<boolean> {
  return /^y(es)?$/i.test(await ask(question));
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

/** Signs in with the password, or makes the account where there is none and that is wanted. */
async function enter(flags: ChatFlags, username: string): Promise<ChatSignIn> {
  return await withGuest(flags, async ({ client, deadlineMs }, servers) => {
    const options = { deadlineMs };
    const register = async (password: string) =>
      await client.register(
        {
          username,
          password,
          displayName: username,
          setupToken: process.env.PARLEY_SETUP_TOKEN ?? "",
        },
        options,
      );
    const logIn = async (password: string) =>
      await client.login({ username, password, device: deviceName() }, options);
    const reply = flags.register
      ? await register(await newPassword(flags.password ?? process.env.PARLEY_PASSWORD))
      : await logInOrRegister(flags, username, logIn, register);
    const { clusterId, revision, nodes } = client.state;
    return {
      token: reply.token,
      tokenRevision: reply.revision,
      clusterId,
      seenRevision: revision,
      servers: nodes.length > 0 ? nodes : servers,
      key: `${clusterId}-${username.toLowerCase()}`,
      isOwn: true,
      tls: resolveTrust(flags, servers)?.tls,
    };
  });
}

type Entering<T> = (password: string) => Promise<T>;

async function logInOrRegister<T>(
  flags: ChatFlags,
  username: string,
  logIn: Entering<T>,
  register: Entering<T>,
): Promise<T> {
  const password = await passwordFor(flags);
  try {
    return await logIn(password);
  } catch (cause) {
    const wrong = cause instanceof ParleyError && cause.reason === "WRONG_CREDENTIALS";
    if (!wrong || !isInteractive() || flags.password !== undefined) throw cause;
    process.stderr.write("There is no account with that name and password.\n");
    if (!(await yes(`Make a new account "${username}" with this password? [y/N] `))) throw cause;
    return await register(password);
  }
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
