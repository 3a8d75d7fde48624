import { describe, expect, it } from "vitest";
import { createPasswordHasher, DEFAULT_COST } from "./password.ts";
import { formatPhc, parsePhc } from "./phc.ts";

const CHEAP = { memoryKib: 64, passes: 1, parallelism: 1 };

describe("PHC strings", () => {
  it("are read back as they were written", () => {
    const value = { ...DEFAULT_COST, salt: Buffer.alloc(16, 7), hash: Buffer.alloc(32, 9) };
    const text = formatPhc(value);
    expect(text).toMatch(
      /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/,
    );
    expect(parsePhc(text)).toEqual(value);
  });

  for (const [name, text] of [
    ["nothing", ""],
    ["another algorithm", "$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA"],
    ["an older version", "$argon2id$v=16$m=64,t=1,p=1$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA"],
    [
      "memory beyond any bound",
      "$argon2id$v=19$m=99999999,t=1,p=1$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
    ],
    ["no passes", "$argon2id$v=19$m=64,t=0,p=1$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA"],
    [
      "too little memory for its lanes",
      "$argon2id$v=19$m=8,t=1,p=4$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
    ],
    ["a trailing line", "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA\nx"],
  ] as const) {
    it(`${name} is none`, () => {
      expect(parsePhc(text)).toBeUndefined();
    });
  }
});

describe("the password hasher", () => {
  // Made by the reference implementation's command line:
  // printf password | argon2 somesalt -id -v 13 -t 2 -m 16 -p 1 -l 32 -e
  const REFERENCE =
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

  it("agrees with the reference implementation", async () => {
    const hasher = createPasswordHasher();
    expect(await hasher.verify("password", REFERENCE)).toBe(true);
    expect(await hasher.verify("Password", REFERENCE)).toBe(false);
  });

  it("hashes with OWASP's parameters and a fresh salt each time", async () => {
    const hasher = createPasswordHasher();
    const [one, two] = await Promise.all([hasher.hash("same one"), hasher.hash("same one")]);
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(one).not.toBe(two);
    expect(await hasher.verify("same one", one)).toBe(true);
    expect(await hasher.verify("same two", one)).toBe(false);
  });

  it("answers false for what is no hash", async () => {
    expect(await createPasswordHasher(CHEAP).verify("x", "plain text")).toBe(false);
  });

  it("P11: lets a bounded number wait, and says when to come back", async () => {
    const hasher = createPasswordHasher(CHEAP);
    const results = await Promise.allSettled(
      Array.from({ length: 400 }, () => hasher.hash("password")),
    );
    const refused = results.filter((one) => one.status === "rejected");
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(400);
    expect(refused[0]?.reason).toMatchObject({ reason: "OVERLOADED", retryAfterMs: 1_000 });
    expect(await hasher.hash("and then again")).toContain("$argon2id$");
  });
});
