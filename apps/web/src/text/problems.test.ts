// Whatever servers answer with, the page says it in its own language.
import { validatePassword, validateRoomName, validateUsername } from "@parley/chat";
import { ParleyError, REASONS, type Reason, SUBJECTS } from "@parley/protocol";
import { beforeAll, expect, test } from "vitest";
import { parseSearch } from "../../../../packages/chat/src/search/query.ts";
import { englishProblems } from "./english-problems.ts";
import { loadProblemTexts, problemText } from "./problem-text.ts";
import { BEYOND_THE_PAGE, PROBLEMS, sayingOf } from "./problems.ts";

const MESSAGE = "The words of a server.";
const reasons = Object.keys(REASONS) as Reason[];
const beyond = new Set<string>(BEYOND_THE_PAGE);

beforeAll(loadProblemTexts);

/** What is said of the error that this throws. */
function said(action: () => unknown): string {
  try {
    action();
  } catch (cause) {
    return problemText(ParleyError.fromWire(ParleyError.from(cause).toWire()));
  }
  throw new Error("nothing was thrown");
}

test.each(reasons.filter((reason) => !beyond.has(reason)))(
  "%s has a text, whatever else its error says",
  (reason) => {
    for (const subject of [undefined, ...SUBJECTS]) {
      for (const values of [{}, { limit: 3 * 1024 * 1024, named: "ann", retryAfterMs: 1_500 }]) {
        const text = problemText(new ParleyError(reason, MESSAGE, { ...values, subject }));
        expect(text).toMatch(/^(?:[A-Z]|ann )/);
        expect(text).not.toMatch(/[{}]|undefined/);
        expect(text).not.toBe(MESSAGE);
      }
    }
  },
);

test("a reason that nobody meets in the page, and one of a newer server, are said as the server said them", () => {
  for (const reason of BEYOND_THE_PAGE)
    expect(sayingOf(new ParleyError(reason, MESSAGE))).toBeUndefined();
  expect(problemText({ reason: "TOO_LOUD", message: "be quiet" })).toBe("Be quiet");
  const newer = ParleyError.fromWire({
    ...new ParleyError("INTERNAL", MESSAGE).toWire(),
    reason: "TOO_LOUD",
  });
  expect(problemText(newer)).toBe(`TOO_LOUD: ${MESSAGE}`);
});

test("a subject that nobody knows yet changes nothing", () => {
  const error = { reason: "BANNED", message: MESSAGE, subject: "toString" };
  expect(problemText(error)).toBe(englishProblems.banned);
});

test("every subject has a text of its own, and every text is said", () => {
  const choices = Object.values(PROBLEMS).map((one) =>
    typeof one === "string" ? { other: one } : one,
  );
  const subjects = new Set(choices.flatMap((choice) => Object.keys(choice)));
  expect([...SUBJECTS].filter((subject) => !subjects.has(subject) && subject !== "room")).toEqual(
    [],
  );
  const keys = new Set<string>(choices.flatMap((choice) => Object.values(choice)));
  expect(Object.keys(englishProblems).filter((key) => !keys.has(key))).toEqual([]);
});

test("limits, names and delays stand in the text", () => {
  expect(said(() => validatePassword("short"))).toBe(
    "A password has at least 8 characters. Choose a longer one.",
  );
  expect(said(() => validateRoomName("x".repeat(200)))).toBe(
    "This is too long: it may have 128 bytes. Shorten it.",
  );
  expect(said(() => validateUsername("a b"))).toBe(englishProblems.username);
  expect(said(() => validateUsername("\u0430nn"))).toBe(englishProblems.lookAlikes);
  expect(said(() => validateRoomName("board\u2067"))).toBe(englishProblems.invisible);
  expect(said(() => parseSearch(""))).toBe(
    "Write words or filters to search for, at most 16 of them.",
  );
  expect(said(() => parseSearch('lunch "next'))).toBe(englishProblems.searchQuote);
  expect(said(() => parseSearch("from:"))).toBe(
    "After from: something must follow, without a space.",
  );
  expect(said(() => parseSearch("a*"))).toBe(
    "Before * there must be 2 letters or digits. Write more of the word.",
  );
  expect(said(() => parseSearch("has:nothing"))).toContain("link, file, mention");
  expect(said(() => parseSearch("before:monday"))).toBe(englishProblems.searchDay);
  const waiting = (retryAfterMs: number) =>
    problemText(new ParleyError("RATE_LIMITED", MESSAGE, { retryAfterMs }));
  expect(waiting(2_400)).toBe("That was too often. Try again in 3 seconds.");
  expect(waiting(0)).toBe("That was too often. Try again in 1 second.");
  const muted = (limit: number) =>
    problemText(new ParleyError("MUTED", MESSAGE, { subject: "until", limit }));
  expect(muted(new Date(2027, 0, 15, 12).getTime())).toMatch(
    /until .*2027.*12:00.* You can write again then/,
  );
  expect(muted(Number.MAX_SAFE_INTEGER)).toBe(englishProblems.muted);
  const large = new ParleyError("TOO_LARGE", MESSAGE, { subject: "file", limit: 8 * 1024 * 1024 });
  expect(problemText(large)).toBe("A file has at most 8 MiB. Choose a smaller one.");
});

test("what is no error of ours is told with what it says", () => {
  expect(problemText(new TypeError("Failed to fetch"))).toMatch(
    /^Something went wrong.*: Failed to fetch$/,
  );
});
