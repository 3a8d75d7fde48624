// A child process under the pinned Node whose standard output is read line by line.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface Child {
  readonly pid: number;
  /** The lines so far. */
  readonly lines: readonly string[];
  /** Resolves when a line fits, also one that is there already; rejects when the process ends first. */
  waitFor(fits: (line: string, lines: readonly string[]) => boolean): Promise<string>;
  kill(): void;
  /** Resolves with the exit code (null: killed) once the output has been read to its end. */
  readonly ended: Promise<number | null>;
  stderr(): string;
}

/** Runs `script` (beside this file) with the Node that runs the test, under `prefix` if given. */
export function startChild(
  script: string,
  args: readonly string[],
  prefix: readonly string[] = [],
): Child {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const [command = process.execPath, ...rest] = [...prefix, process.execPath, path, ...args];
  const child: ChildProcess = spawn(command, rest, { stdio: ["ignore", "pipe", "pipe"] });
  const { stdout, stderr, pid } = child;
  if (stdout === null || stderr === null || pid === undefined) throw new Error("no child process");
  const lines: string[] = [];
  let errors = "";
  stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const reader = createInterface({ input: stdout });
  const watchers = new Set<() => void>();
  let isOver = false;
  reader.on("line", (line) => {
    lines.push(line);
    for (const watch of watchers) watch();
  });
  const ended = Promise.all([once(child, "close"), once(reader, "close")]).then(([[code]]) => {
    isOver = true;
    for (const watch of watchers) watch();
    return code as number | null;
  });
  return {
    pid,
    lines,
    ended,
    stderr: () => errors,
    kill: () => child.kill("SIGKILL"),
    waitFor: (fits) =>
      new Promise((resolve, reject) => {
        let seen = 0;
        const watch = (): void => {
          for (; seen < lines.length; seen++) {
            const line = lines[seen] ?? "";
            if (!fits(line, lines)) continue;
            watchers.delete(watch);
            resolve(line);
            return;
          }
          if (isOver) {
            watchers.delete(watch);
            reject(new Error(`the process ended: ${errors}\n${lines.slice(-5).join("\n")}`));
          }
        };
        watchers.add(watch);
        watch();
      }),
  };
}
