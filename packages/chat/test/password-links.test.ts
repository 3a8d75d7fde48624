// A forgotten password: a link that the instance's owner makes, and that sets it once.
import { CreatePasswordLinkResponse, LIMITS, UsePasswordLinkResponse } from "@parley/protocol";
import { expect, test } from "vitest";
import {
  type Actor,
  createPasswordLinkCommand,
  createSessionCommand,
  deleteAccountCommand,
  setPasswordCommand,
  usePasswordLinkCommand,
} from "../src/index.ts";
import { HOUR_MS, TTL_MS, tokenHash, World } from "./world.ts";

const hash = (n: number) => tokenHash(5_000 + n);

class Office extends World {
  readonly anna = this.upgraded("anna");
  readonly bob = this.register("bob");

  upgraded(owner: string) {
    this.upgrade();
    return this.register(owner);
  }

  making(actor: Actor, of: Actor, n: number, ttlMs = HOUR_MS) {
    const request = { ttlMs, requestId: this.id() };
    return createPasswordLinkCommand(request, actor, of.accountId, hash(n));
  }

  using(n: number, passwordHash = "phc-new") {
    return usePasswordLinkCommand({ requestId: this.id() }, hash(n), passwordHash);
  }

  credentials(usernameKey: string) {
    return this.read({ kind: "credentials", usernameKey });
  }
}

test("a link sets the password once, and ends all sign-ins", () => {
  const office = new Office();
  const made = CreatePasswordLinkResponse.decode(
    office.ok(office.making(office.anna, office.bob, 1)),
  );
  expect(made.expiresAtMs).toBe(office.nowMs + HOUR_MS);
  // Nothing has ended yet: whoever remembers it after all goes on.
  expect([...office.admission.sessionsOf(office.bob.accountId)]).toHaveLength(1);
  const used = UsePasswordLinkResponse.decode(office.ok(office.using(1)));
  expect(used.username).toBe("bob");
  expect([...office.admission.sessionsOf(office.bob.accountId)]).toEqual([]);
  expect(office.credentials("bob")).toMatchObject({ passwordHash: "phc-new" });
  expect(office.reason(office.using(1, "phc-again"))).toBe("PASSWORD_LINK_NOT_FOUND");
  expect(office.credentials("bob")).toMatchObject({ passwordHash: "phc-new" });
  // A login that was checked against the old one comes too late.
  const { accountId, credentialsRevision } = office.bob;
  const token = { tokenHash: office.token(), tokenTtlMs: TTL_MS };
  const late = createSessionCommand(
    { device: "", requestId: office.id() },
    accountId,
    credentialsRevision,
    token,
  );
  expect(office.reason(late)).toBe("CREDENTIALS_CHANGED");
});

test("P2: the retry of its use gets the first result, and sets nothing again", () => {
  const office = new Office();
  office.ok(office.making(office.anna, office.bob, 1));
  const using = office.using(1);
  const first = office.ok(using);
  const { revision } = office;
  expect(office.ok(using)).toEqual(first);
  expect(office.credentials("bob")).toMatchObject({ credentialsRevision: revision });
});

test("a link ends with its time, with the next one, with a change of the password, with the account", () => {
  const office = new Office();
  const { anna, bob } = office;
  office.ok(office.making(anna, bob, 1));
  office.nowMs += HOUR_MS;
  expect(office.reason(office.using(1))).toBe("PASSWORD_LINK_NOT_FOUND");
  office.ok(office.making(anna, bob, 2));
  office.ok(office.making(anna, bob, 3));
  expect(office.reason(office.using(2))).toBe("PASSWORD_LINK_NOT_FOUND");
  const change = {
    passwordHash: "phc-own",
    credentialsRevision: bob.credentialsRevision,
    targetAccountId: 0,
    keepSessionId: bob.sessionId,
  };
  office.ok(setPasswordCommand({ requestId: office.id() }, bob, change));
  const changedAt = office.revision;
  expect(office.reason(office.using(3))).toBe("PASSWORD_LINK_NOT_FOUND");
  office.ok(office.making(anna, bob, 4));
  office.reopen();
  expect(office.machine.recomputeHash()).toBe(office.machine.stateHash(0)?.hash);
  office.ok(deleteAccountCommand({ requestId: office.id() }, bob, changedAt));
  expect(office.reason(office.using(4))).toBe("PASSWORD_LINK_NOT_FOUND");
});

test("only the instance's owner makes one, for an account that there is, for a week at most", () => {
  const office = new Office();
  const { anna, bob } = office;
  expect(office.reason(office.making(bob, anna, 1))).toBe("PERMISSION_DENIED");
  const nobody = { accountId: 999, sessionId: 0 };
  expect(office.reason(office.making(anna, nobody, 1))).toBe("ACCOUNT_NOT_FOUND");
  office.ok(office.making(anna, bob, 1));
  expect(office.reason(office.making(anna, anna, 1))).toBe("INVALID_ARGUMENT");
  const long = LIMITS.passwordLinkTtlMsMax + 1;
  expect(() => office.making(anna, bob, 2, long)).toThrow("7 days");
  const preset = CreatePasswordLinkResponse.decode(office.ok(office.making(anna, bob, 2, 0)));
  expect(preset.expiresAtMs).toBe(office.nowMs + LIMITS.passwordLinkTtlMsDefault);
});
