// The folder of a cluster's certificates. Keys are for their owner alone (0600); a reader sees a file
// as it was or as it is now, never half of it.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../cli/usage-error.ts";
import { CA_FILE } from "../config/load.ts";
import type { Authority, Issued } from "./issue.ts";

export const CA_KEY_FILE = "ca.key";
const KEY_MODE = 0o600;
const CERTIFICATE_MODE = 0o644;
const FOLDER_MODE = 0o700;

function write(path: string, text: string, mode: number): void {
  const scratch = `${path}.${process.pid}.tmp`;
  writeFileSync(scratch, text, { mode });
  renameSync(scratch, path);
}

export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

/** Paths of the pair that is called `name`. */
export function pairIn(folder: string, name: string): Pair {
  return { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
}

/** Refuses to replace what is there unless told to. */
export function writePair(folder: string, name: string, pair: Issued, replace: boolean): Pair {
  const paths = pairIn(folder, name);
  for (const path of [paths.certificate, paths.key]) {
    if (replace || !existsSync(path)) continue;
    throw new UsageError(`${path} is there already; say --replace to put a new one in its place.`);
  }
  mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
  write(paths.key, pair.key, KEY_MODE);
  write(paths.certificate, pair.certificate, CERTIFICATE_MODE);
  return paths;
}

export function writeAuthority(folder: string, authority: Authority): Pair {
  const paths = { certificate: join(folder, CA_FILE), key: join(folder, CA_KEY_FILE) };
  for (const path of [paths.certificate, paths.key]) {
    if (!existsSync(path)) continue;
    throw new UsageError(
      `${path} is there already: another authority in its place would cut off every certificate that this one made. ` +
        "Use another folder with --dir, or move it away first.",
    );
  }
  return writePair(folder, "ca", authority, false);
}

/** Throws a UsageError that says what to do when the folder has no usable authority. */
export async function loadAuthority(folder: string): Promise<Authority> {
  const [certificate, key] = [join(folder, CA_FILE), join(folder, CA_KEY_FILE)];
  for (const path of [certificate, key]) {
    if (existsSync(path)) continue;
    throw new UsageError(
      `${path} is missing. Make an authority with \`parley certs init\`, or name the folder that holds it with --dir.`,
    );
  }
  const { readAuthority } = await import("./issue.ts");
  try {
    return await readAuthority(readFileSync(certificate, "utf8"), readFileSync(key, "utf8"));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`${certificate} and ${key} cannot be used: ${why}.`);
  }
}
