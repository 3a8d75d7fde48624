import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextConfig, restoredConfig } from "./confchange.ts";
import { parseChanges } from "./confchange-text.ts";
import { jointVote } from "./quorum/joint.ts";
import { describeConfig, ProgressTracker } from "./tracker/tracker.ts";
import type { ConfChange, ConfChangeTransition, ConfState } from "./types.ts";
import { EMPTY_CONF_STATE, NO_BYTES } from "./types.ts";

const LAST_INDEX = 42;

function change(text: string, transition: ConfChangeTransition = "auto"): ConfChange {
  return { version: 2, transition, changes: parseChanges(text) ?? [], context: NO_BYTES };
}

function trackerOf(state: Partial<ConfState>): ProgressTracker {
  const tracker = new ProgressTracker(10, 1_000);
  const outcome = restoredConfig(tracker, LAST_INDEX, { ...EMPTY_CONF_STATE, ...state });
  if (!outcome.ok) throw new Error(outcome.detail);
  tracker.use(outcome.config, outcome.progress);
  return tracker;
}

/** Applies the change; returns the new configuration, or what is wrong with it. */
function apply(tracker: ProgressTracker, each: ConfChange): string {
  const outcome = nextConfig(tracker, LAST_INDEX, each);
  if (!outcome.ok) return outcome.detail;
  tracker.use(outcome.config, outcome.progress);
  return describeConfig(outcome.config);
}

describe("one change at a time (thesis, 4.1)", () => {
  it.each([
    ["v4", "voters=(1 2 3 4)"],
    ["l4", "voters=(1 2 3) learners=(4)"],
    ["r3", "voters=(1 2)"],
    ["l3", "voters=(1 2) learners=(3)"],
    ["u3", "voters=(1 2 3)"],
    ["v3", "voters=(1 2 3)"],
    ["r9", "voters=(1 2 3)"],
    ["v0", "voters=(1 2 3)"],
  ])("%s: %s", (text, expected) => {
    expect(apply(trackerOf({ voters: [1, 2, 3] }), change(text))).toBe(expected);
  });

  it("promotes a learner", () => {
    const tracker = trackerOf({ voters: [1], learners: [2] });
    expect(tracker.progress.get(2)?.isLearner).toBe(true);
    expect(apply(tracker, change("v2"))).toBe("voters=(1 2)");
    expect(tracker.progress.get(2)?.isLearner).toBe(false);
  });

  it("leaves at least one voter", () => {
    expect(apply(trackerOf({ voters: [1] }), change("r1"))).toBe("removed all voters");
    expect(apply(trackerOf({ voters: [1] }), change("l1"))).toBe("removed all voters");
  });

  it("probes a new member from the end of the log, and takes it for alive", () => {
    const tracker = trackerOf({ voters: [1] });
    apply(tracker, change("v2"));
    expect(tracker.progress.get(2)).toMatchObject({
      match: 0,
      next: LAST_INDEX,
      recentActive: true,
    });
  });

  it("changes nothing by working a change out", () => {
    const tracker = trackerOf({ voters: [1, 2] });
    const before = tracker.progress.get(2);
    nextConfig(tracker, LAST_INDEX, change("l2"));
    expect(describeConfig(tracker.config)).toBe("voters=(1 2)");
    expect(before?.isLearner).toBe(false);
  });
});

describe("joint consensus (thesis, 4.3)", () => {
  it("is entered for more than one change, or when asked for", () => {
    const two = trackerOf({ voters: [1, 2, 3] });
    expect(apply(two, change("v4 r1"))).toBe("voters=(2 3 4)&&(1 2 3) autoleave");
    const one = trackerOf({ voters: [1] });
    expect(apply(one, change("v2", "joint-explicit"))).toBe("voters=(1 2)&&(1)");
  });

  it("is left into the incoming half", () => {
    const tracker = trackerOf({ voters: [1, 2, 3] });
    apply(tracker, change("v4 r1 l2"));
    expect(apply(tracker, change(""))).toBe("voters=(3 4) learners=(2)");
    expect([...tracker.progress.keys()]).toEqual([2, 3, 4]);
  });

  it("keeps an outgoing voter's vote until it is left, then makes it a learner", () => {
    const tracker = trackerOf({ voters: [1, 2] });
    expect(apply(tracker, change("l2", "joint-explicit"))).toBe(
      "voters=(1)&&(1 2) learners_next=(2)",
    );
    expect(tracker.progress.get(2)?.isLearner).toBe(false);
    apply(tracker, change(""));
    expect(tracker.progress.get(2)?.isLearner).toBe(true);
  });

  it.each([
    ["v5", "auto", "can't apply simple config change in joint config"],
    ["v5 v6", "auto", "config is already joint"],
    ["", "joint-explicit", "config is already joint"],
  ] as const)("refuses %j (%s) while it lasts", (text, transition, detail) => {
    const tracker = trackerOf({ voters: [1, 2] });
    apply(tracker, change("v3", "joint-explicit"));
    expect(apply(tracker, change(text, transition))).toBe(detail);
  });

  it("can't be left when it isn't entered, nor entered by nobody", () => {
    expect(apply(trackerOf({ voters: [1] }), change(""))).toBe("can't leave a non-joint config");
    expect(apply(trackerOf({}), change("v1 v2"))).toBe("can't make a zero-voter config joint");
  });
});

describe("a stored configuration", () => {
  it("is restored as it was, joint or not", () => {
    const states: ConfState[] = [
      EMPTY_CONF_STATE,
      { ...EMPTY_CONF_STATE, voters: [1, 2, 3], learners: [5] },
      { voters: [1, 2], votersOutgoing: [2, 3], learners: [5], learnersNext: [3], autoLeave: true },
    ];
    for (const state of states) expect(trackerOf(state).config).toEqual(state);
  });
});

describe("any chain of changes", () => {
  const id = fc.integer({ min: 1, max: 5 });
  const token = fc.tuple(fc.constantFrom("v", "l", "r"), id).map(([kind, n]) => `${kind}${n}`);
  const step = fc.record({
    text: fc.array(token, { maxLength: 3 }).map((tokens) => tokens.join(" ")),
    transition: fc.constantFrom<ConfChangeTransition>("auto", "joint-implicit", "joint-explicit"),
  });

  it("never lets two disjoint sets of members decide before and after", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 10 }), (steps) => {
        const tracker = trackerOf({ voters: [1, 2, 3] });
        for (const { text, transition } of steps) {
          const before = tracker.voters;
          apply(tracker, change(text, transition));
          const after = tracker.voters;
          for (let mask = 0; mask < 64; mask++) {
            const inside = (member: number): boolean => (mask & (1 << member)) !== 0;
            const bothDecide =
              jointVote(before, inside) === "won" && jointVote(after, (m) => !inside(m)) === "won";
            expect(bothDecide).toBe(false);
          }
        }
      }),
    );
  });

  it("has a progress for each member and nobody else, in order", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 10 }), (steps) => {
        const tracker = trackerOf({ voters: [1, 2, 3] });
        for (const { text, transition } of steps) apply(tracker, change(text, transition));
        const { voters, votersOutgoing, learners } = tracker.config;
        const members = [...new Set([...voters, ...votersOutgoing, ...learners])];
        expect([...tracker.progress.keys()]).toEqual(members.sort((a, b) => a - b));
        for (const [member, { isLearner }] of tracker.progress) {
          expect(isLearner).toBe(learners.includes(member));
        }
      }),
    );
  });
});
