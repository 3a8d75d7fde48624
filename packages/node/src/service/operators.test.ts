import { createHash } from "node:crypto";
import { ParleyError } from "@parley/protocol";
import { describe, expect, it, test } from "vitest";
import type { CallerCertificate, Logger } from "../ports.ts";
import { decideOperator, type Evidence, Operators } from "./operators.ts";
import { World } from "./testing/world.test.support.ts";

const NOTHING: Evidence = {
  certificate: { kind: "none" },
  hasOperatorToken: false,
  isLocal: false,
  account: undefined,
};
const OPERATOR: CallerCertificate = { kind: "trusted", role: "operator", name: "ops" };
const CLIENT: CallerCertificate = { kind: "trusted", role: "client", name: "ann" };
const NODE: CallerCertificate = { kind: "trusted", role: "node", name: "2" };
const EXPIRED: CallerCertificate = {
  kind: "refused",
  why: "the certificate expired on 2026-01-01",
};

function account(owner: boolean, deleted = false): Evidence["account"] {
  return {
    kind: "account",
    accountId: 7,
    username: "ann",
    usernameKey: "ann",
    displayName: "Ann",
    owner,
    deleted,
    credentialsRevision: 7,
    createdAtMs: 0,
    lastSeenMs: 0,
    readsHidden: false,
  } as Evidence["account"];
}

describe("P10: an operator is", () => {
  const admitted: readonly [string, Partial<Evidence>, object][] = [
    ["who has an operator's certificate", { certificate: OPERATOR }, { kind: "certificate" }],
    ["the instance's owner", { account: account(true) }, { kind: "owner", username: "ann" }],
    [
      "who shows the operator token on the node's machine",
      { hasOperatorToken: true, isLocal: true },
      { kind: "local-token" },
    ],
    [
      "the owner, whatever certificate the machine has",
      { account: account(true), certificate: CLIENT },
      { kind: "owner" },
    ],
  ];
  for (const [who, evidence, operator] of admitted) {
    it(who, () => expect(decideOperator({ ...NOTHING, ...evidence })).toMatchObject(operator));
  }

  const refused: readonly [string, Partial<Evidence>, string, RegExp][] = [
    ["a stranger", {}, "UNAUTHENTICATED", /operator's certificate.*owner.*operator token/],
    ["another account", { account: account(false) }, "PERMISSION_DENIED", /ann does not own/],
    ["a deleted owner", { account: account(true, true) }, "UNAUTHENTICATED", /certificate/],
    ["a client", { certificate: CLIENT }, "PERMISSION_DENIED", /names client ann/],
    ["a node", { certificate: NODE }, "PERMISSION_DENIED", /names node 2/],
    ["an old certificate", { certificate: EXPIRED }, "CERTIFICATE_REFUSED", /expired on 2026/],
    [
      "who shows the operator token from elsewhere",
      { hasOperatorToken: true },
      "PERMISSION_DENIED",
      /own machine/,
    ],
    ["who is local without the token", { isLocal: true }, "UNAUTHENTICATED", /operator/],
  ];
  for (const [who, evidence, reason, message] of refused) {
    it(`not ${who}`, () => {
      const decided = decideOperator({ ...NOTHING, ...evidence });
      expect(decided).toBeInstanceOf(ParleyError);
      expect(decided).toMatchObject({ reason, message: expect.stringMatching(message) });
    });
  }
});

function operatorsOf(world: World) {
  const lines: { level: string; message: string; fields: object }[] = [];
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, message, fields });
  const logger: Logger = {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
  };
  const operators = new Operators({
    replica: world.log,
    authentication: world.service.authentication,
    logger,
    tokenHash: new Uint8Array(createHash("sha256").update("the operator token").digest()),
  });
  return { operators, lines };
}

function contextOf(world: World, fields: object) {
  const deadlineMs = world.clock.monotonicMs() + 1_000;
  return { token: "", remote: "10.0.0.9", deadlineMs, ...fields };
}

test("P10: what is done is logged with who did it, and so is what is refused or fails", async () => {
  const world = await World.start();
  const owner = await world.register("owner");
  const guest = await world.register("guest");
  const { operators, lines } = operatorsOf(world);
  const context = contextOf(world, { token: owner.token });
  const result = await operators.perform("AddServer 4", context, async (who) => who.kind);
  expect(result).toBe("owner");
  expect(lines.map(({ message }) => message)).toEqual([
    "owner owner asks for AddServer 4",
    "AddServer 4 by owner owner is done",
  ]);
  expect(lines[0]?.fields).toMatchObject({ event: "operator", remote: "10.0.0.9" });

  let touched = false;
  const attempt = operators.perform(
    "RemoveServer 1",
    contextOf(world, { token: guest.token }),
    async () => {
      touched = true;
    },
  );
  expect((await world.failure(attempt)).reason).toBe("PERMISSION_DENIED");
  expect(touched).toBe(false);
  expect(lines.at(-1)).toMatchObject({
    level: "warn",
    message: expect.stringMatching(/^refused RemoveServer 1: guest does not own/),
  });

  const local = contextOf(world, { token: "the operator token", isLocal: true });
  const failing = operators.perform("Backup", local, async () => {
    throw new ParleyError("DISK_FULL", "no room");
  });
  expect((await world.failure(failing)).reason).toBe("DISK_FULL");
  expect(lines.at(-1)?.message).toBe("Backup by the operator token failed: no room");
});

test("P10: a certificate and the operator token count without a quorum", async () => {
  const world = await World.start();
  world.log.hasQuorum = false;
  const { operators } = operatorsOf(world);
  const certified = contextOf(world, { certificate: OPERATOR, token: "unknown" });
  expect(await operators.identify(certified)).toEqual({ kind: "certificate", name: "ops" });
  const local = contextOf(world, { token: "the operator token", isLocal: true });
  expect(await operators.identify(local)).toEqual({ kind: "local-token" });
});
