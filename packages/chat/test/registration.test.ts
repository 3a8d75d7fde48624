// Who may make an account: open, invite-only, closed.
import { RegisterResponse, RegistrationMode } from "@parley/protocol";
import { expect, test } from "vitest";
import {
  type Actor,
  deleteAccountCommand,
  registerCommand,
  setRegistrationCommand,
} from "../src/index.ts";
import { TTL_MS, World } from "./world.ts";

const { REGISTRATION_MODE_OPEN, REGISTRATION_MODE_INVITE_ONLY, REGISTRATION_MODE_CLOSED } =
  RegistrationMode;

function registering(world: World, username: string, more: object = {}) {
  const made = {
    passwordHash: "phc",
    device: "",
    tokenHash: world.token(),
    tokenTtlMs: TTL_MS,
    ...more,
  };
  return registerCommand({ username, displayName: "", requestId: world.id() }, made);
}

function choosing(world: World, actor: Actor, mode: RegistrationMode) {
  return setRegistrationCommand({ mode, requestId: world.id() }, actor);
}

test("P10: until the owner chooses, everybody may on loopback, and nobody without an invite beyond it", () => {
  const world = new World();
  world.upgrade();
  const far = { inviteOnlyByDefault: true };
  const owner = RegisterResponse.decode(world.ok(registering(world, "anna", far)));
  expect(owner.account?.owner).toBe(true);
  expect(world.reason(registering(world, "mallory", far))).toBe("INVITE_REQUIRED");
  world.ok(registering(world, "bob"));
});

test("what the owner chooses holds everywhere, and over a restart", () => {
  const world = new World();
  world.upgrade();
  const [anna, bob] = [world.register("anna"), world.register("bob")];
  const far = { inviteOnlyByDefault: true };
  expect(world.reason(choosing(world, bob, REGISTRATION_MODE_CLOSED))).toBe("PERMISSION_DENIED");
  world.ok(choosing(world, anna, REGISTRATION_MODE_OPEN));
  world.ok(registering(world, "carol", far));
  world.ok(choosing(world, anna, REGISTRATION_MODE_INVITE_ONLY));
  expect(world.reason(registering(world, "dave"))).toBe("INVITE_REQUIRED");
  world.ok(choosing(world, anna, REGISTRATION_MODE_CLOSED));
  world.reopen();
  expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
  expect(world.reason(registering(world, "dave"))).toBe("REGISTRATION_CLOSED");
  // Names are not told to those who may not come in.
  expect(world.reason(registering(world, "bob"))).toBe("REGISTRATION_CLOSED");
  expect(() => choosing(world, anna, 0)).toThrow("open, invite-only or closed");
});

test("P2: the retry of a registration gets its first result after the door was closed", () => {
  const world = new World();
  world.upgrade();
  const anna = world.register("anna");
  const bob = registering(world, "bob");
  const first = RegisterResponse.decode(world.ok(bob));
  world.ok(choosing(world, anna, REGISTRATION_MODE_CLOSED));
  expect(RegisterResponse.decode(world.ok(bob)).account?.id).toBe(first.account?.id);
});

test("an instance without an owner is never closed to whoever may own it", () => {
  const world = new World();
  world.upgrade();
  const anna = world.register("anna");
  world.ok(choosing(world, anna, REGISTRATION_MODE_CLOSED));
  world.ok(deleteAccountCommand({ requestId: world.id() }, anna, anna.credentialsRevision));
  expect(world.reason(registering(world, "mallory", { notOwner: true }))).toBe(
    "SETUP_TOKEN_REQUIRED",
  );
  expect(RegisterResponse.decode(world.ok(registering(world, "bob"))).account?.owner).toBe(true);
});

test("before all servers know of it, the state has no registration mode", () => {
  const world = new World();
  const anna = world.register("anna");
  expect(world.reason(choosing(world, anna, REGISTRATION_MODE_CLOSED))).toBe("NOT_YET_SUPPORTED");
  expect(world.reason(registering(world, "bob", { inviteOnlyByDefault: true }))).toBe(
    "NOT_YET_SUPPORTED",
  );
  world.ok(registering(world, "bob"));
});
