import { expect, it } from "vitest";
import { createLogger } from "./logger.ts";

it("logs one JSON object a line, and never a secret or what people write", () => {
  const lines: string[] = [];
  const logger = createLogger("info", { node: 3 }, { write: (line) => lines.push(line) });
  logger.debug({}, "too quiet");
  logger.info(
    {
      password: "hunter22",
      token: "tok-secret",
      request: { body: "a private message", newPassword: "hunter33", seq: 7 },
    },
    "a request",
  );
  logger.fatal({}, "the end");
  expect(lines).toHaveLength(2);
  const text = lines.join("");
  for (const secret of ["hunter22", "hunter33", "tok-secret", "private"]) {
    expect(text).not.toContain(secret);
  }
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    level: "info",
    node: 3,
    msg: "a request",
    request: { seq: 7 },
  });
  expect(JSON.parse(lines[1] ?? "")).toMatchObject({ level: "fatal", msg: "the end" });
});
