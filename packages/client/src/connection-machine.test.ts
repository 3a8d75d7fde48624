import { expect, test } from "vitest";
import {
  type ConnectionState,
  EVENTS,
  STATES,
  TRANSITIONS,
  transition,
} from "./connection-machine.ts";

// Each row is a state, each column an event in the order of EVENTS; a dot stays where it is.
const CODES: Record<string, ConnectionState> = {
  i: "idle",
  b: "backoff",
  d: "dialing",
  g: "greeting",
  o: "online",
  p: "probing",
  h: "hedging",
  r: "racing",
  c: "closed",
};
//            start due opened welcome lost go-away auth timeout heard silence unanswered settled r-welcome r-won r-lost addresses stop
const EXPECTED: Record<ConnectionState, string> = {
  idle: "     b     .   .      .       .    .       .    .       .     .       .          .       .         .     .      .         c",
  backoff:
    "  .     d   .      .       .    .       .    .       .     .       .          .       .         .     .      .         c",
  dialing:
    "  .     .   g      o       b    b       b    b       .     .       .          .       .         .     .      .         c",
  greeting:
    " .     .   .      o       b    b       b    b       .     .       .          .       .         .     .      .         c",
  online:
    "   .     .   .      .       b    b       b    .       .     p       h          .       .         .     .      .         c",
  probing:
    "  .     .   .      .       b    b       b    b       o     .       h          .       .         .     .      .         c",
  hedging:
    "  .     .   .      .       g    g       g    g       .     .       .          o       r         .     o      .         c",
  racing:
    "   .     .   .      .       o    o       o    o       .     .       .          o       .         o     o      .         c",
  closed:
    "   .     .   .      .       .    .       .    .       .     .       .          .       .         .     .      .         .",
};

test.each(STATES)("every event in state %s leads where the table says", (state) => {
  const codes = EXPECTED[state].split(/\s+/).filter((code) => code !== "");
  expect(codes).toHaveLength(EVENTS.length);
  const destinations = EVENTS.map((event) => transition(state, event).to);
  expect(destinations).toEqual(codes.map((code) => CODES[code] ?? state));
});

test("an event that does not matter does nothing", () => {
  for (const state of STATES) {
    for (const event of EVENTS) {
      const { to, effects } = transition(state, event);
      const matters = effects.length > 0;
      // What changes nothing but has effects is named here, so that none slips in.
      if (to === state && matters) {
        expect([
          "backoff addresses-changed",
          "hedging heard",
          "hedging silence",
          "racing heard",
          "racing silence",
        ]).toContain(`${state} ${event}`);
      }
      if (!matters) expect(to).toBe(state);
    }
  }
});

test("the session is announced when it begins to serve, and when it no longer does", () => {
  const serving = new Set<ConnectionState>(["online", "probing", "hedging", "racing"]);
  for (const state of STATES) {
    for (const event of EVENTS) {
      const { to, effects } = TRANSITIONS[state][event];
      const begins = !serving.has(state) && serving.has(to);
      const ends = serving.has(state) && !serving.has(to);
      const moves = effects.includes("promote") && serving.has(to);
      expect(effects.includes("notify-online"), `${state} ${event}`).toBe(begins || moves);
      expect(effects.includes("notify-offline"), `${state} ${event}`).toBe(ends);
    }
  }
});

test("no link, rival or timer is left behind", () => {
  const linked = new Set<ConnectionState>(
    [...STATES].filter((state) => !/idle|backoff|closed/.test(state)),
  );
  const rivalled = new Set<ConnectionState>(["hedging", "racing"]);
  for (const state of STATES) {
    for (const event of EVENTS) {
      const { to, effects } = TRANSITIONS[state][event];
      const label = `${state} ${event}`;
      if (linked.has(state) && !linked.has(to)) expect(effects, label).toContain("close");
      if (rivalled.has(state) && !rivalled.has(to)) {
        expect(effects.includes("close-rival") || effects.includes("promote"), label).toBe(true);
      }
      if (!rivalled.has(state) && rivalled.has(to)) expect(effects, label).toContain("dial-rival");
      if (to === "closed" && state !== "closed") expect(effects, label).toContain("notify-closed");
      // Every state that waits for an answer has a timer, or chose a time to go on.
      if (to !== state && /dialing|greeting|probing/.test(to)) {
        expect(
          effects.some((effect) => effect.startsWith("arm-")),
          label,
        ).toBe(true);
      }
      if (to !== state && to === "backoff") expect(effects, label).toContain("choose");
    }
  }
});
