import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { sha256 } from "../platform/random.ts";
import {
  forgetSetupToken,
  operatorToken,
  operatorTokenHash,
  SecretError,
  setupToken,
} from "./secrets.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-secrets-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("the operator token is made once, for its owner alone, and shared by the nodes of a folder", () => {
  const token = operatorToken(folder);
  expect(token).toMatch(/^[A-Za-z0-9_-]{32}$/);
  expect(operatorToken(folder)).toBe(token);
  expect(operatorTokenHash(join(folder, "n2.db"))).toEqual(sha256(Buffer.from(token)));
  expect(readdirSync(folder)).toEqual(["operator.token"]);
  expect(statSync(join(folder, "operator.token")).mode & 0o777).toBe(0o600);
});

it("the set-up token stays the same until it is forgotten", () => {
  const dbPath = join(folder, "parley.db");
  const first = setupToken(dbPath);
  expect(setupToken(dbPath)).toEqual(first);
  expect(first.hash).toEqual(sha256(Buffer.from(first.token)));
  forgetSetupToken(dbPath);
  forgetSetupToken(dbPath);
  expect(setupToken(dbPath).token).not.toBe(first.token);
});

it("a file that holds no token, or cannot be read or made, is named", () => {
  writeFileSync(join(folder, "operator.token"), "short\n");
  expect(() => operatorToken(folder)).toThrow(SecretError);
  expect(() => operatorToken(folder)).toThrow(/holds no token; remove it/);
  expect(() => operatorToken(join(folder, "missing"))).toThrow(/cannot be written/);
});
