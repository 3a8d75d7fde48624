import { expect, test } from "vitest";
import { candidates, completableAt, completed } from "./completion.ts";

test("a name is completed where it is begun, and nowhere else", () => {
  const text = "hello @an, how";
  const found = completableAt(text, 9);
  expect(found).toEqual({ kind: "member", from: 6, to: 9, begun: "an" });
  if (found === undefined) return;
  expect(completed(text, found, "@anna")).toEqual({ text: "hello @anna , how", cursor: 12 });
  expect(completableAt("mail me: a@b", 12)).toBeUndefined();
  expect(completableAt("no name", 7)).toBeUndefined();
  expect(completableAt("(@", 2)?.begun).toBe("");
});

test("an emoji is begun by a colon and two letters, and times and faces are left alone", () => {
  const found = completableAt("well :TA", 8);
  expect(found).toEqual({ kind: "emoji", from: 5, to: 8, begun: "ta" });
  if (found === undefined) return;
  expect(completed("well :TA done", found, "🎉")).toEqual({ text: "well 🎉 done", cursor: 8 });
  for (const text of [":", ":)", ":D", "at 10:30", "https://x", "a:bc"]) {
    expect(completableAt(text, text.length), text).toBeUndefined();
  }
});

test("beginnings come before the rest, and there are few", () => {
  const names = ["joanna", "anna", "bob", "hannah"];
  expect(candidates(names, "an")).toEqual(["anna", "joanna", "hannah"]);
  expect(
    candidates(
      Array.from({ length: 99 }, (_, at) => `n${at}`),
      "n",
    ),
  ).toHaveLength(8);
});
