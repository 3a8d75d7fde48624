import { ParleyError } from "@parley/client/browser";
import { expect, test } from "vitest";
import { keepingText } from "./keeping-notice.tsx";

test("says what a reload takes, and nothing where all is kept", () => {
  const full = new ParleyError("STORAGE_FULL", "full");
  const forbidden = new ParleyError("STORAGE_UNAVAILABLE", "no");
  expect(keepingText(undefined, "")).toBe("");
  expect(keepingText(full, "")).toBe(
    "This browser has no room to keep data for this page. Messages are sent all the same, but what is unsent is lost when this tab is closed or reloaded.",
  );
  expect(keepingText(undefined, "full")).toContain("but what you are typing is lost");
  expect(keepingText(forbidden, "forbidden")).toBe(
    "This browser does not let this page keep data. Messages are sent all the same, but what is unsent, what you are typing and your sign-in are lost when this tab is closed or reloaded.",
  );
});
