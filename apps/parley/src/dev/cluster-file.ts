// DIR/cluster.json: what scripts and the other commands know of a running dev cluster.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const nodeSchema = z.object({
  id: z.int(),
  /** Null while the node is down. */
  pid: z.int().nullable(),
  grpc: z.string(),
  http: z.string(),
  db_path: z.string(),
  /** Left out: a node that has the chat. */
  role: z.literal("witness").optional(),
});

const clusterSchema = z.object({
  nodes: z.array(nodeSchema),
  /** Where `parley dev-control` and scripts speak to the supervisor. */
  control: z.string().optional(),
  /** The supervisor; null when it has stopped. */
  supervisor_pid: z.int().nullable().optional(),
});

export type ClusterFile = z.infer<typeof clusterSchema>;
export type ClusterFileNode = z.infer<typeof nodeSchema>;

export function clusterFilePath(folder: string): string {
  return join(folder, "cluster.json");
}

/** Readers see the old content or the new, never half of it. */
export function writeClusterFile(folder: string, content: ClusterFile): void {
  const path = clusterFilePath(folder);
  const scratch = `${path}.${process.pid}.tmp`;
  writeFileSync(scratch, `${JSON.stringify(content, undefined, 2)}\n`);
  renameSync(scratch, path);
}

/** `undefined` when there is none, or when it is not one. */
export function readClusterFile(folder: string): ClusterFile | undefined {
  try {
    return clusterSchema.parse(JSON.parse(readFileSync(clusterFilePath(folder), "utf8")));
  } catch {
    return undefined;
  }
}
