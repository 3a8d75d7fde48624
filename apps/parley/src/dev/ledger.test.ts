import { expect, test } from "vitest";
import { Ledger } from "./ledger.ts";

test("P1: what the subscriber passed without being told of it is lost", () => {
  const ledger = new Ledger();
  ledger.wasAcknowledged("a", 7);
  ledger.wasAcknowledged("b", 9);
  ledger.readUpTo(6);
  expect([ledger.lost, ledger.owed]).toEqual([0, 2]);
  ledger.wasTold("b");
  ledger.readUpTo(9);
  expect([ledger.acknowledged, ledger.lost, ledger.owed]).toEqual([2, 1, 0]);
});

test("P2: what is told twice is doubled; what is told before it is acknowledged is not", () => {
  const ledger = new Ledger();
  ledger.wasTold("a");
  ledger.wasAcknowledged("a", 3);
  ledger.readUpTo(3);
  expect([ledger.lost, ledger.doubled, ledger.owed]).toEqual([0, 0, 0]);
  ledger.wasTold("a");
  expect(ledger.doubled).toBe(1);
});

test("what a reader had not come to when it left is not lost for the next one", () => {
  const ledger = new Ledger();
  ledger.wasAcknowledged("a", 3);
  ledger.readerBegins();
  ledger.wasAcknowledged("b", 5);
  ledger.wasTold("b");
  ledger.readUpTo(5);
  expect([ledger.lost, ledger.owed]).toEqual([0, 0]);
});
