import { expect, test } from "vitest";
import { probeOnWake } from "../../src/browser/index.ts";

test("the network, the page and the person coming back each test the link, until stopped", () => {
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), {
    visibilityState: "hidden" as DocumentVisibilityState,
  });
  let probes = 0;
  const stop = probeOnWake({ probe: () => probes++ }, { window, document });
  window.dispatchEvent(new Event("online"));
  window.dispatchEvent(new Event("pageshow"));
  expect(probes).toBe(2);
  document.dispatchEvent(new Event("visibilitychange"));
  expect(probes).toBe(2);
  document.visibilityState = "visible";
  document.dispatchEvent(new Event("visibilitychange"));
  expect(probes).toBe(3);
  stop();
  window.dispatchEvent(new Event("online"));
  expect(probes).toBe(3);
});
