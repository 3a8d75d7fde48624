import { isUuidV7, uuidV7TimeMs } from "@parley/chat";
import { expect, test } from "vitest";
import { makeRequestId, requestIdOf } from "./request-id.ts";
import { VirtualClock } from "./testing/virtual-clock.test.support.ts";
import { seededRandom } from "./testing/world.test.support.ts";

const clock = new VirtualClock();
const random = seededRandom(1);

test("a made request id is a UUIDv7 of now, different each time", () => {
  const one = makeRequestId(clock, random);
  const two = makeRequestId(clock, random);
  expect(isUuidV7(one)).toBe(true);
  expect(uuidV7TimeMs(one)).toBe(clock.wallMs());
  expect(two).not.toBe(one);
});

test("a given request id is kept in lower case; anything but a UUIDv7 is refused (P2)", () => {
  const id = makeRequestId(clock, random);
  expect(requestIdOf(id.toUpperCase(), clock, random)).toBe(id);
  expect(isUuidV7(requestIdOf("", clock, random))).toBe(true);
  for (const bad of ["x", "0190163d-8694-4eee-9f5a-1d0c45e7e0a1", ` ${id}`, `${id}0`]) {
    expect(() => requestIdOf(bad, clock, random)).toThrow("UUIDv7");
  }
});
