// A client for the length of one command: who asks, of which servers, for how long.
import { hostname } from "node:os";
import { type ClientState, ParleyClient } from "@parley/client";
import { grpcCarrier } from "@parley/client/grpc";
import { LIMITS, ParleyError } from "@parley/protocol";
import { ask, askHidden, isInteractive } from "./prompt.ts";
import { type SavedSignIn, SavedSignIns } from "./saved-sign-ins.ts";
import { resolveServers } from "./servers.ts";
import { stateFolder } from "./state-folder.ts";
import { distrustOf, resolveTrust, type Trust } from "./trust.ts";
import { UsageError } from "./usage-error.ts";

export interface CommonFlags {
  readonly server?: readonly string[];
  readonly username?: string;
  readonly password?: string;
  readonly json: boolean;
  /** Seconds. */
  readonly timeout: number;
  /** Files. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly insecure?: boolean;
}

/** Without a session after this long, no server is there; with a long --timeout after half of that. */
const CONNECT_TIMEOUT_MS = 5_000;
/** A server that is there has answered by then; whether its certificate is the trouble is looked at from here on. */
const LOOK_AFTER_MS = 500;
/** How long the farewell of a command may take. */
const LOGOUT_TIMEOUT_MS = 2_000;

export interface Connected {
  readonly client: ParleyClient;
  /** Milliseconds for every request of the command. */
  readonly deadlineMs: number;
  readonly flags: CommonFlags;
  /** The servers speak TLS. */
  readonly isSecure: boolean;
}

/** Shown in the account's list of sessions. */
export function deviceName(): string {
  const name = `terminal on ${hostname()}`;
  return Buffer.byteLength(name) <= LIMITS.deviceBytesMax ? name : "terminal";
}

export function savedSignIns(): SavedSignIns {
  return new SavedSignIns(stateFolder());
}

function unreachable(servers: readonly string[], state: ClientState): ParleyError {
  // The first of the addresses' problems, without its address: those are told anyway.
  const problem = state.problem.split(",", 1)[0]?.replace(/^\S+:\d+: /, "") ?? "";
  const why = problem === "" ? "" : ` (${problem})`;
  const where = servers.length > 3 ? `${servers.slice(0, 3).join(", ")} …` : servers.join(", ");
  return new ParleyError(
    "NOT_READY",
    `No server answers at ${where}${why}. Is the cluster running? \`npm start\` runs one here; name others with --server host:port,…`,
  );
}

/** With a patience of its own; distrust is told as soon as it is certain. */
async function waitOnline(
  client: ParleyClient,
  servers: readonly string[],
  trust: Trust | undefined,
  timeoutMs: number,
): Promise<void> {
  const giveUp = new AbortController();
  const connectMs = Math.min(timeoutMs, Math.max(CONNECT_TIMEOUT_MS, timeoutMs / 2));
  const timer = setTimeout(() => giveUp.abort(), connectMs);
  let looked: Promise<ParleyError | undefined> | undefined;
  const look = setTimeout(() => {
    looked = distrustOf(servers, trust).then((error) => {
      if (error !== undefined) giveUp.abort();
      return error;
    });
  }, LOOK_AFTER_MS);
  try {
    await client.online(giveUp.signal);
  } catch {
    const error = await (looked ?? distrustOf(servers, trust));
    throw error ?? unreachable(servers, client.state);
  } finally {
    clearTimeout(look);
    clearTimeout(timer);
  }
}

/** From the flags, the environment or the keyboard. */
export async function usernameFor(flags: CommonFlags): Promise<string> {
  if (flags.username !== undefined) return flags.username;
  if (isInteractive()) return await ask("Username: ");
  throw new UsageError("Name the account with --username.");
}

export async function passwordFor(flags: CommonFlags, question = "Password: "): Promise<string> {
  const given = flags.password ?? process.env.PARLEY_PASSWORD;
  if (given !== undefined) return given;
  if (isInteractive()) return await askHidden(question);
  throw new UsageError("Give the password with --password or in PARLEY_PASSWORD.");
}

/** A new password, typed twice when it is typed. */
export async function newPassword(given: string | undefined): Promise<string> {
  if (given !== undefined) return given;
  if (!isInteractive()) throw new UsageError("Give the new password with --new-password.");
  const first = await askHidden("New password: ");
  if ((await askHidden("Once more: ")) !== first) throw new UsageError("They differ.");
  return first;
}

/** Saves the sign-in of `client` for later commands. */
export function saveSignIn(client: ParleyClient, servers: readonly string[], revision: number) {
  const { clusterId, nodes, revision: seen, account } = client.state;
  savedSignIns().save({
    username: account?.username ?? "",
    token: client.token,
    token_revision: revision,
    seen_revision: seen,
    cluster_id: clusterId,
    servers: [...new Set([...nodes, ...servers])],
  });
}

/** Runs `action` with a client that is connected and not signed in. */
export async function withGuest<T>(
  flags: CommonFlags,
  action: (connected: Connected, servers: readonly string[]) => Promise<T>,
): Promise<T> {
  const servers = resolveServers(flags.server);
  const trust = resolveTrust(flags, servers);
  const client = new ParleyClient({ servers, carrier: grpcCarrier({ tls: trust?.tls }) });
  const deadlineMs = flags.timeout * 1_000;
  await client.start();
  try {
    await waitOnline(client, servers, trust, deadlineMs);
    return await action({ client, deadlineMs, flags, isSecure: trust?.tls !== undefined }, servers);
  } finally {
    await client.close();
  }
}

/** How a command signs in, in the order in which it is looked for. */
type SignInWay =
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "saved"; readonly saved: SavedSignIn }
  /** For this command alone: signed out at its end. */
  | { readonly kind: "password" };

function signInWay(flags: CommonFlags, servers: readonly string[]): SignInWay {
  const token = process.env.PARLEY_TOKEN;
  if (flags.username === undefined && token !== undefined && token !== "") {
    return { kind: "token", token };
  }
  const saved = savedSignIns().find(servers);
  const isWanted = flags.username === undefined || flags.username === saved?.username;
  const hasPassword = flags.password !== undefined;
  if (saved !== undefined && isWanted && !hasPassword) return { kind: "saved", saved };
  if (flags.username !== undefined) return { kind: "password" };
  throw new ParleyError(
    "UNAUTHENTICATED",
    "Nobody is signed in here. Run `parley login`, or give --username and --password.",
  );
}

function clientFor(
  way: SignInWay,
  servers: readonly string[],
  trust: Trust | undefined,
): ParleyClient {
  const base = { servers, carrier: grpcCarrier({ tls: trust?.tls }) };
  switch (way.kind) {
    case "token":
      return new ParleyClient({ ...base, token: way.token });
    case "saved":
      return new ParleyClient({
        ...base,
        token: way.saved.token,
        tokenRevision: way.saved.token_revision,
        clusterId: way.saved.cluster_id,
        seenRevision: way.saved.seen_revision,
      });
    case "password":
      return new ParleyClient(base);
  }
}

/** Runs `action` with a client that is connected and signed in. */
export async function withAccount<T>(
  flags: CommonFlags,
  action: (connected: Connected) => Promise<T>,
): Promise<T> {
  const servers = resolveServers(flags.server);
  const way = signInWay(flags, servers);
  const trust = resolveTrust(flags, servers);
  const client = clientFor(way, servers, trust);
  const deadlineMs = flags.timeout * 1_000;
  await client.start();
  try {
    await waitOnline(client, servers, trust, deadlineMs);
    if (way.kind === "password") {
      const username = await usernameFor(flags);
      const password = await passwordFor(flags);
      await client.login({ username, password, device: deviceName() }, { deadlineMs });
    }
    const result = await action({ client, deadlineMs, flags, isSecure: trust?.tls !== undefined });
    if (way.kind === "saved") rememberSeen(way.saved, client);
    return result;
  } catch (cause) {
    throw way.kind === "saved" ? endedSignIn(way.saved, cause) : cause;
  } finally {
    if (way.kind === "password" && client.token !== "") {
      await client.logout({ deadlineMs: LOGOUT_TIMEOUT_MS }).catch(() => {});
    }
    await client.close();
  }
}

/** What to do when a saved sign-in was refused; any other error as it is. */
function endedSignIn(saved: SavedSignIn, cause: unknown): unknown {
  if (!(cause instanceof ParleyError) || cause.reason !== "UNAUTHENTICATED") return cause;
  const message = `The sign-in of ${saved.username} has ended. Run \`parley login\` again.`;
  return new ParleyError("UNAUTHENTICATED", message);
}

/** The next command sees nothing older than this one did (P4). */
function rememberSeen(saved: SavedSignIn, client: ParleyClient): void {
  const { revision, clusterId } = client.state;
  if (client.token !== saved.token || clusterId !== saved.cluster_id) return;
  if (revision > saved.seen_revision) savedSignIns().save({ ...saved, seen_revision: revision });
}
