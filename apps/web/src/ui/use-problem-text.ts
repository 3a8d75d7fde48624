// What is said of something that failed, where it stands on the page for as long as it is so.
import { useEffect, useState } from "react";
import { hasProblemTexts, problemText, sayProblem } from "../text/problem-text.ts";

/** "" of what is undefined, and for a moment while the texts are on their way. */
export function useProblemText(cause: unknown): string {
  const [isWaiting, setIsWaiting] = useState(() => !hasProblemTexts());
  useEffect(() => {
    if (cause === undefined || !isWaiting) return;
    let isGone = false;
    sayProblem(cause, () => isGone || setIsWaiting(false));
    return () => {
      isGone = true;
    };
  }, [cause, isWaiting]);
  return cause === undefined || isWaiting ? "" : problemText(cause);
}
