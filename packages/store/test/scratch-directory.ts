// A directory of its own for each test.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface ScratchDirectory {
  readonly path: string;
  /** The db_path of a node in it. */
  readonly dbPath: string;
  remove(): void;
}

export function scratchDirectory(): ScratchDirectory {
  const path = mkdtempSync(join(tmpdir(), "parley-store-"));
  return {
    path,
    dbPath: join(path, "n1.db"),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}
