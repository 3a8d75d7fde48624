// What a node's mirror may refuse by itself.

import { DatabaseSync } from "node:sqlite";
import type { Command } from "@parley/protocol";
import { Command as CommandCodec } from "@parley/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Admission, ChatMachine, deleteAccountCommand, endSessionCommand } from "../src/index.ts";
import { arbitraryLog, asEntries } from "./arbitrary-log.ts";
import { World } from "./world.ts";

const kinds = (world: World, command: Command) => {
  const { kind } = world.admission.precheck(command);
  return kind;
};

test("what looks right passes, what might be right later is unsure, what never will be is refused", () => {
  const world = new World();
  const [anna, bob] = [world.register("anna"), world.register("bob")];
  const roomId = world.room(anna, "General");
  expect(kinds(world, world.sendOf(anna, roomId, "x"))).toBe("pass");
  expect(kinds(world, world.sendOf(bob, roomId, "x"))).toBe("unsure");
  // An id that this node has not reached yet may be a room by the time this is applied.
  expect(kinds(world, world.sendOf(anna, world.revision + 1, "x"))).toBe("unsure");
  expect(kinds(world, world.sendOf(anna, bob.accountId, "x"))).toBe("refuse");
  const invalid = { ...world.sendOf(anna, roomId, "x"), version: 0 };
  expect(kinds(world, invalid)).toBe("refuse");
});

test("an ended session and a deleted account are refused for good", () => {
  const world = new World();
  const anna = world.register("anna");
  const bob = world.register("bob");
  const roomId = world.room(anna, "General");
  const phone = world.login(anna);
  world.ok(endSessionCommand({ requestId: world.id() }, anna, phone.sessionId));
  expect(kinds(world, world.sendOf(phone, roomId, "x"))).toBe("refuse");
  const goodbye = deleteAccountCommand({ requestId: world.id() }, bob, bob.credentialsRevision);
  world.ok(goodbye);
  expect(kinds(world, world.sendOf(bob, roomId, "x"))).toBe("refuse");
});

test("a mirror that is behind never refuses what apply accepts, over random logs", () => {
  let accepted = 0;
  fc.assert(
    fc.property(arbitraryLog, fc.nat(), (commands, at) => {
      const machine = ChatMachine.open(new DatabaseSync(":memory:"));
      const mirror = new Admission();
      mirror.load(machine.admissionSnapshot());
      const log = asEntries(commands);
      const behindAt = at % log.length;
      for (const entry of machine.apply(log.slice(0, behindAt)).entries) mirror.applyEntry(entry);
      for (const [i, entry] of machine.apply(log.slice(behindAt)).entries.entries()) {
        if (entry.outcome.kind !== "ok") continue;
        const command = CommandCodec.decode(log[behindAt + i]?.command ?? new Uint8Array(0));
        accepted += 1;
        const checked = mirror.precheck({ ...command, op: command.op });
        // Names in random logs need not be normalised, which is checked before proposing only; and
        // the session of a repeated request may have ended since it was first answered.
        if (checked.kind !== "refuse" || checked.error.reason === "INVALID_ARGUMENT") continue;
        expect(checked.error.reason).toBe("UNAUTHENTICATED");
        expect(entry.changes).toEqual([]);
        expect(entry.deliveries).toEqual([]);
      }
    }),
    { numRuns: 60 },
  );
  expect(accepted).toBeGreaterThan(100);
});
