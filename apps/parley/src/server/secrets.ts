// Secrets that a node makes for itself and keeps beside its data, for whoever has the machine: the
// operator token, and the token that the first account needs (P10). Files are their owner's (0600).
import { randomBytes } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { sha256 } from "../platform/random.ts";

export const OPERATOR_TOKEN_FILE = "operator.token";
const SECRET_MODE = 0o600;
const SECRET_BYTES = 24;
const SHAPE = /^[A-Za-z0-9_-]{20,200}$/;

/** A secret that cannot be kept or read; the message names the file and what to do. */
export class SecretError extends Error {
  override readonly name = "SecretError";
}

/** What the file holds; undefined when there is none. */
export function readSecret(path: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SecretError(`${path} cannot be read (${why})`);
  }
  if (SHAPE.test(text)) return text;
  throw new SecretError(`${path} holds no token; remove it, and the node makes a new one`);
}

/** Durable when it returns: a token that was printed must count after a power cut too. */
function store(path: string, secret: string): void {
  writeFileSync(path, `${secret}\n`, { mode: SECRET_MODE, flush: true });
}

/** The secret at `path`, made now if there is none. */
function secretAt(path: string): string {
  const known = readSecret(path);
  if (known !== undefined) return known;
  const scratch = `${path}.${process.pid}.tmp`;
  try {
    store(scratch, randomBytes(SECRET_BYTES).toString("base64url"));
    // Nodes that share a folder share the token: the first link wins, and is whole from the start.
    linkSync(scratch, path);
  } catch (cause) {
    const exists = cause instanceof Error && "code" in cause && cause.code === "EEXIST";
    if (!exists) throw new SecretError(`${path} cannot be written (${String(cause)})`);
  } finally {
    rmSync(scratch, { force: true });
  }
  const made = readSecret(path);
  if (made === undefined) throw new SecretError(`${path} vanished while it was made`);
  return made;
}

/** The operator token of the nodes whose data is in `folder`, made at the first start. */
export function operatorToken(folder: string): string {
  return secretAt(join(folder, OPERATOR_TOKEN_FILE));
}

export function writeOperatorToken(folder: string, token: string): void {
  const path = join(folder, OPERATOR_TOKEN_FILE);
  const scratch = `${path}.${process.pid}.tmp`;
  store(scratch, token);
  renameSync(scratch, path);
}

function setupTokenPath(dbPath: string): string {
  return `${dbPath}-setup.token`;
}

export interface SetupToken {
  readonly token: string;
  readonly hash: Uint8Array;
  readonly path: string;
}

/** The token for the first account, kept until that has come. */
export function setupToken(dbPath: string): SetupToken {
  const path = setupTokenPath(dbPath);
  const token = secretAt(path);
  return { token, hash: sha256(Buffer.from(token)), path };
}

export function forgetSetupToken(dbPath: string): void {
  rmSync(setupTokenPath(dbPath), { force: true });
}

export function operatorTokenHash(dbPath: string): Uint8Array {
  return sha256(Buffer.from(operatorToken(dirname(dbPath))));
}
