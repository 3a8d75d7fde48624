// What a node takes on its disk, and what is left there.
import { readdir, stat, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

export const FILE_KINDS = ["raft", "raft_wal", "chat", "chat_wal", "other"] as const;
export type FileKind = (typeof FILE_KINDS)[number];

export interface DiskUse {
  readonly freeBytes: number;
  readonly files: Readonly<Record<FileKind, number>>;
}

/** Of a file beside `db_path`, by what comes after its name. */
function kindOf(suffix: string): FileKind {
  if (suffix === "") return "raft";
  if (suffix === "-wal") return "raft_wal";
  if (!suffix.startsWith("-chat")) return "other";
  return suffix.endsWith("-wal") ? "chat_wal" : "chat";
}

/** A file that goes away while it is looked at takes nothing. */
async function sizeOf(path: string): Promise<number> {
  return await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

/** Files of `dbPath`, known by its name at their beginning. Rejects when its folder cannot be read. */
export async function diskUse(dbPath: string): Promise<DiskUse> {
  const [folder, name] = [dirname(dbPath), basename(dbPath)];
  const { bavail, bsize } = await statfs(folder);
  const files: Record<FileKind, number> = { raft: 0, raft_wal: 0, chat: 0, chat_wal: 0, other: 0 };
  for (const file of await readdir(folder)) {
    const suffix = file.slice(name.length);
    if (!file.startsWith(name) || !/^(-.*)?$/.test(suffix)) continue;
    files[kindOf(suffix)] += await sizeOf(join(folder, file));
  }
  return { freeBytes: bavail * bsize, files };
}
