// What a reload would take, where the browser's storage is forbidden or full.
import type { ParleyError } from "@parley/client/browser";
import { useSyncExternalStore } from "react";
import { type KeepingProblem, keeping } from "../chat/saved.ts";
import { t } from "../text/t.ts";

export function useKeeping(): KeepingProblem {
  return useSyncExternalStore(keeping.subscribe, keeping.getSnapshot);
}

/** `outbox`: why unsent messages are in memory only; `page`: why drafts and the sign-in are. */
export function keepingText(outbox: ParleyError | undefined, page: KeepingProblem): string {
  if (outbox === undefined && page === "") return "";
  const isFull = outbox === undefined ? page === "full" : outbox.reason === "STORAGE_FULL";
  const why = t(isFull ? "keeping.full" : "keeping.forbidden");
  const [one = "", two, three] = [
    ...(outbox === undefined ? [] : [t("keeping.unsent")]),
    ...(page === "" ? [] : [t("keeping.typing")]),
    ...(page === "forbidden" ? [t("keeping.signIn")] : []),
  ];
  if (two === undefined) return t("keeping.lostOne", { why, one });
  if (three === undefined) return t("keeping.lostTwo", { why, one, two });
  return t("keeping.lostThree", { why, one, two, three });
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
