// The first problem of a page, and the texts that come after the page.
import { ParleyError } from "@parley/protocol";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { englishProblems } from "./english-problems.ts";

const ERROR = new ParleyError("BANNED", "the words of a server");

/** As a page has it that was just loaded; `texts` come when that is settled. */
async function freshPage(texts: Promise<unknown>) {
  vi.resetModules();
  const problems = await vi.importActual("./problems.ts");
  vi.doMock("./problems.ts", async () => {
    await texts;
    return problems;
  });
  const { sayProblem } = await import("./problem-text.ts");
  const said: string[] = [];
  sayProblem(ERROR, (text) => said.push(text));
  return { said, say: () => sayProblem(ERROR, (text) => said.push(text)) };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.doUnmock("./problems.ts");
});

test("it waits for the texts, and the next one for nothing", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { said, say } = await freshPage(promise);
  await vi.advanceTimersByTimeAsync(900);
  expect(said).toEqual([]);
  resolve();
  await vi.waitFor(() => expect(said).toEqual([englishProblems.banned]));
  say();
  expect(said).toHaveLength(2);
});

test("where they don't come within a second, it is said as the server said it", async () => {
  const { said } = await freshPage(new Promise(() => {}));
  await vi.advanceTimersByTimeAsync(999);
  expect(said).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(said).toEqual(["The words of a server"]);
});
