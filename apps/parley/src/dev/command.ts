// The command lines of `parley dev` and `parley dev-control`.
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { UsageError } from "../cli/usage-error.ts";
import { readClusterFile } from "./cluster-file.ts";
import {
  askSupervisor,
  type ControlReply,
  type ControlRequest,
  ControlServer,
  controlPath,
} from "./control.ts";
import { eraseData, prepareData, waitForOrphans } from "./data-folder.ts";
import { Supervisor } from "./supervisor.ts";

export interface DevOptions {
  readonly nodes: number | undefined;
  readonly witnesses: number | undefined;
  readonly data: string;
  readonly basePort: number | undefined;
  readonly fresh: boolean;
  readonly supervise: boolean;
  /** Fills it with a chat that looks lived in. */
  readonly demo: boolean;
}

/** Runs a dev cluster until it is stopped; resolves with the exit code. */
export async function runDev(options: DevOptions): Promise<number> {
  const folder = resolve(options.data);
  mkdirSync(folder, { recursive: true });
  let supervisor: Supervisor | undefined;
  const control = new ControlServer(controlPath(folder), async (request) => {
    if (supervisor !== undefined) return await supervisor.handle(request);
    return { ok: false, error: "the cluster is still being prepared" };
  });
  // The socket is also the lock of the folder.
  if (!(await control.listen())) {
    const pid = readClusterFile(folder)?.supervisor_pid;
    const who = pid === undefined || pid === null ? "" : ` (pid ${pid})`;
    throw new UsageError(
      `A dev cluster already runs on ${folder}${who}. Stop it first, or use another folder with --data.`,
    );
  }
  try {
    await waitForOrphans(folder);
    if (options.fresh) eraseData(folder);
    const { config, ports } = await prepareData(folder, options);
    const { supervise, demo } = options;
    supervisor = new Supervisor({ folder, config, supervise, demo });
    const exitCode = await supervisor.run(control);
    ports.release();
    return exitCode;
  } finally {
    control.close();
  }
}

/** One request to the supervisor of the cluster in `data`. Rejects when none runs there. */
export async function runDevControl(data: string, request: ControlRequest): Promise<ControlReply> {
  const folder = resolve(data);
  const path = readClusterFile(folder)?.control ?? controlPath(folder);
  return await askSupervisor(path, request);
}
