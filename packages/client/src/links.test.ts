import { LIMITS } from "@parley/protocol";
import { expect, test } from "vitest";
import { invitePath, inviteSecretIn, newSecret, passwordPath, passwordSecretIn } from "./links.ts";

test("a secret has more than 128 random bits, and is what its link says", () => {
  const secrets = new Set(Array.from({ length: 200 }, () => newSecret()));
  expect(secrets.size).toBe(200);
  for (const secret of secrets) {
    expect(secret).toMatch(/^[A-Za-z0-9_-]{32}$/);
    expect(inviteSecretIn(invitePath(secret))).toBe(secret);
    expect(passwordSecretIn(passwordPath(secret))).toBe(secret);
    // One is not taken for the other.
    expect(inviteSecretIn(passwordPath(secret))).toBeUndefined();
    expect(inviteSecretIn(`https://chat.example:8443${invitePath(secret)} `)).toBe(secret);
  }
  const all = { int: () => 0, bytes: (length: number) => new Uint8Array(length).fill(0xff) };
  expect(newSecret(all)).toBe("_".repeat(32));
});

test.each([
  "",
  "/join",
  "/join#",
  "/join#short",
  `/join#${"x".repeat(LIMITS.secretCharactersMax + 1)}`,
  `/join?${newSecret()}`,
  `/r/12#${newSecret()}`,
  `/join#${newSecret()}%`,
  `javascript:/join#${newSecret()}`,
])("%s is no invite", (link) => expect(inviteSecretIn(link)).toBeUndefined());
