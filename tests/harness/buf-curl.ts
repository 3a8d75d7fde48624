// `buf curl`: a gRPC tool that this project did not write. It learns the services by reflection.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const BUF = fileURLToPath(new URL("../../node_modules/.bin/buf", import.meta.url));
/** One process takes half a second on an idle machine; no call of these tests is worth more than this. */
const CALL_MS_MAX = 60_000;

export interface Curled {
  /** Its exit code; -1 = it was stopped. */
  readonly code: number;
  readonly stdout: string;
  /** Both outputs, for messages of failed tests. */
  readonly output: string;
  /** Every JSON object that it printed. */
  readonly replies: readonly Record<string, unknown>[];
}

/** Stops buf and the real program that npm's wrapper of that name started: they are one process group. */
function stop(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (error) {
    // Both have ended already.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Runs `buf curl` to its end, or until `isEnough` says of its output that there is no need for more. */
export async function bufCurl(
  args: readonly string[],
  isEnough: (stdout: string) => boolean = () => false,
): Promise<Curled> {
  const fixed = ["curl", "--protocol", "grpc", "--http2-prior-knowledge"];
  const child = spawn(BUF, [...fixed, ...args], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    if (isEnough(stdout)) stop(child);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const timer = setTimeout(() => stop(child), CALL_MS_MAX);
  try {
    const [code] = (await once(child, "close")) as [number | null];
    const texts = stdout.split(/\n(?=\{)/).filter((text) => text.trimStart().startsWith("{"));
    return {
      code: code ?? -1,
      stdout,
      output: stdout + stderr,
      // What was stopped may have been in the middle of an object.
      replies: code === null ? [] : texts.map((text) => JSON.parse(text)),
    };
  } finally {
    clearTimeout(timer);
    stop(child);
  }
}
