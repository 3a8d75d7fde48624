// A real server inside the test's process: real sockets, real files, one node.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "../config/load.ts";
import { createLogger } from "../platform/logger.ts";
import { ParleyServer } from "../server/server.ts";

export interface RunningServer {
  readonly address: string;
  readonly port: number;
  readonly http: string;
  /** Its log, as JSON lines. */
  readonly log: readonly string[];
  /** What made it stop by itself. */
  readonly fatal: () => unknown;
  stop(): Promise<void>;
}

/** A port that nothing listened on a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port: 0 }, () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** `extra`: further YAML. Serves, with itself as the leader, when it resolves. */
export async function startServer(extra = "", listenHost = "127.0.0.1"): Promise<RunningServer> {
  const folder = mkdtempSync(join(tmpdir(), "parley-server-"));
  const [port, httpPort] = [await freePort(), await freePort()];
  const node = `{id: 1, host: 127.0.0.1, listen_host: ${listenHost}, port: ${port}, http_port: ${httpPort}, db_path: parley.db}`;
  const yaml = `nodes: [${node}]\n${extra}`;
  const config = parseConfig(join(folder, "config.yaml"), yaml);
  const [self] = config.nodes;
  if (self === undefined) throw new Error("the configuration has no node");
  const log: string[] = [];
  const logger = createLogger("info", {}, { write: (line) => log.push(line) });
  let fatal: unknown;
  const onFatal = (error: unknown) => {
    fatal = error;
  };
  const server = new ParleyServer({ config, self, logger, onFatal });
  await server.start();
  return {
    address: self.address,
    port,
    http: `http://127.0.0.1:${httpPort}`,
    log,
    fatal: () => fatal,
    stop: async () => {
      await server.stop(1_000);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Resolves when `condition` holds; rejects, naming `what`, when it takes far too long. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
