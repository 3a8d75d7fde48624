// What a reload would take, where the browser's storage is forbidden or full.
import type { ParleyError } from "@parley/client/browser";
import { useSyncExternalStore } from "react";
import { type KeepingProblem, keeping } from "../chat/saved.ts";

export function useKeeping(): KeepingProblem {
  return useSyncExternalStore(keeping.subscribe, keeping.getSnapshot);
}

/** `outbox`: why unsent messages are in memory only; `page`: why drafts and the sign-in are. */
export function keepingText(outbox: ParleyError | undefined, page: KeepingProblem): string {
  if (outbox === undefined && page === "") return "";
  const isFull = outbox === undefined ? page === "full" : outbox.reason === "STORAGE_FULL";
  const why = isFull
    ? "This browser has no room to keep data for this page"
    : "This browser does not let this page keep data";
  const lost = [
    ...(outbox === undefined ? [] : ["what is unsent"]),
    ...(page === "" ? [] : ["what you are typing"]),
    ...(page === "forbidden" ? ["your sign-in"] : []),
  ];
  const [last = "", ...before] = lost.toReversed();
  const all = before.length === 0 ? last : `${before.toReversed().join(", ")} and ${last}`;
  const are = lost.length === 1 ? "is" : "are";
  return `${why}. Messages are sent all the same, but ${all} ${are} lost when this tab is closed or reloaded.`;
}

export function KeepingBanner({ outbox }: { readonly outbox: ParleyError | undefined }) {
  const text = keepingText(outbox, useKeeping());
  if (text === "") return null;
  return (
    <p className="banner" role="status">
      {text}
    </p>
  );
}
