// One process at a time: a lock file that names its owner, and that is taken over when the owner is
// gone. Node has no flock, and a lock must not outlive a `kill -9`.
import { randomUUID } from "node:crypto";
import { link, open, readFile, rename, unlink } from "node:fs/promises";
import { ParleyError } from "@parley/protocol";

const ATTEMPTS_MAX = 5;

/** Pids are used again; together with the time of the start they are not. "dead": only a zombie. */
async function startOf(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The command's name may hold blanks and brackets: fields count from behind the last one, where
    // the state is field 3 and the start field 22.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? "dead" : (fields[19] ?? "");
  } catch {
    return "";
  }
}

async function lives(owner: string): Promise<boolean> {
  const [pidText = "", start = ""] = owner.trim().split(" ");
  const pid = Number(pidText);
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (cause) {
    // EPERM: it lives, under another user.
    if ((cause as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const present = await startOf(pid);
  if (present === "dead") return false;
  return start === "" || present === "" || start === present;
}

async function readOwner(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw cause;
  }
}

/** Creates the lock file whole, or reports that it is there. */
async function create(path: string, owner: string): Promise<boolean> {
  const draft = `${path}.${randomUUID()}`;
  const handle = await open(draft, "wx", 0o600);
  try {
    await handle.writeFile(owner);
    await handle.close();
    await link(draft, path);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw cause;
  } finally {
    await unlink(draft);
  }
}

/** Removes the lock of a dead owner; one that changed hands meanwhile is put back. */
async function takeAway(path: string, deadOwner: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return;
    throw cause;
  }
  if ((await readOwner(aside)) !== deadOwner) await link(aside, path).catch(() => {});
  await unlink(aside);
}

/** Resolves with how to release it; rejects with LIMIT_REACHED while another process has it. */
export async function lockFile(path: string): Promise<() => Promise<void>> {
  const owner = `${process.pid} ${await startOf(process.pid)}\n`;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (await create(path, owner)) return () => unlink(path);
    const present = await readOwner(path);
    if (present === undefined) continue;
    if (await lives(present)) break;
    await takeAway(path, present);
  }
  const holder = (await readOwner(path))?.split(" ")[0] ?? "another one";
  throw new ParleyError("LIMIT_REACHED", `${path} is held by process ${holder}`);
}
