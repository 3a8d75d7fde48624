// Questions on the terminal.
import { createInterface } from "node:readline/promises";
import { UsageError } from "./usage-error.ts";

export function isInteractive(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Asks on standard error, so that standard output stays for results. */
export async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await terminal.question(question)).trim();
  } finally {
    terminal.close();
  }
}

/** Like `ask`, without showing what is typed. Rejects with a UsageError when it is given up. */
export function askHidden(question: string): Promise<string> {
  const { stdin, stderr } = process;
  return new Promise((resolve, reject) => {
    let typed = "";
    stderr.write(question);
    stdin.setRawMode(true);
    stdin.setEncoding("utf8");
    stdin.resume();
    const finish = (error?: Error) => {
      stdin.removeListener("data", onData);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write("\n");
      if (error === undefined) resolve(typed);
      else reject(error);
    };
    const onData = (text: string) => {
      for (const key of text) {
        if (key === "\r" || key === "\n") return finish();
        if (key === "\u0003" || key === "\u0004") return finish(new UsageError("Given up."));
        if (key === "\u007f" || key === "\b") typed = [...typed].slice(0, -1).join("");
        else if (key >= " ") typed += key;
      }
    };
    stdin.on("data", onData);
  });
}
