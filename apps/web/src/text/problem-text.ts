// What is said of something that failed. The texts come after the page itself, and whoever meets a problem before them waits for them a moment;
// without them, and for a reason that is not among them, it is said as the server said it.
import type { Problem } from "./problems.ts";
import { filledIn, t } from "./t.ts";

let texts: typeof import("./problems.ts") | undefined;

/** Never rejects: where they can't be loaded, it is tried again with the next problem. */
export async function loadProblemTexts(): Promise<void> {
  texts ??= await import("./problems.ts").catch(() => undefined);
}

/** Whether nothing is left to wait for. */
export function hasProblemTexts(): boolean {
  return texts !== undefined;
}

const WAIT_MS = 1_000;

/** Hands on what is said of `cause`: at once, or when the texts have come, or the moment is over. */
export function sayProblem(cause: unknown, say: (text: string) => void): void {
  if (texts !== undefined) {
    say(problemText(cause));
    return;
  }
  const moment = new Promise<void>((resolve) => setTimeout(resolve, WAIT_MS));
  void Promise.race([loadProblemTexts(), moment]).then(() => say(problemText(cause)));
}

/** `cause`: a ParleyError, what was kept of one, or whatever else was thrown. */
export function problemText(cause: unknown): string {
  void loadProblemTexts();
  const problem = isProblem(cause) ? cause : { reason: "INTERNAL", message: messageOf(cause) };
  const saying = texts?.sayingOf(problem);
  return saying === undefined ? inOwnWords(problem.message) : filledIn(saying.text, saying.values);
}

function isProblem(cause: unknown): cause is Problem {
  return typeof cause === "object" && cause !== null && "reason" in cause && "message" in cause;
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function inOwnWords(message: string): string {
  return t("app.said", { message: message.charAt(0).toUpperCase() + message.slice(1) });
}
