import { expect, test } from "vitest";
import { ParleyError } from "./errors.ts";
import { Error as WireError } from "./generated/parley/v1/session.ts";

const travelled = (error: WireError) =>
  ParleyError.fromWire(WireError.decode(WireError.encode(error).finish()));

test("what an error is about travels with it", () => {
  const details = { subject: "pins", limit: 50, named: "lobby", retryAfterMs: 7 } as const;
  const error = new ParleyError("LIMIT_REACHED", "Too many.", details);
  expect(travelled(error.toWire())).toMatchObject({ reason: "LIMIT_REACHED", ...details });
  expect(travelled(new ParleyError("BANNED", "No.").toWire())).toMatchObject({
    subject: "",
    limit: 0,
    named: "",
  });
});

test("an unknown reason of a newer version is INTERNAL, and stands before its message", () => {
  const error = travelled(WireError.fromPartial({ reason: "TOO_LOUD", message: "Be quiet." }));
  expect(error).toMatchObject({ reason: "INTERNAL", message: "TOO_LOUD: Be quiet." });
});
