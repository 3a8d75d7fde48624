/** Committing entries from previous terms: paper, 5.4.2 (figure 8 is a scenario) and 5.4.3; section 8. */
import { describe, expect, it } from "vitest";
import { World } from "./world.ts";

const three = { size: 3, voters: [1, 2, 3] };

/** "x" is on 1 and 2, uncommitted; then 2 leads, with its own entry kept to itself. */
function inheritedEntry(): World {
  const world = new World(three).elect(1);
  world.reaches = (_from, to) => to === 2;
  world.propose(1, "x");
  world.settle();
  world.reaches = (from, to) => from !== 1 && to !== 1;
  world.node(2).campaign();
  // The votes come in; nothing that 2 sends as a leader leaves it.
  for (let i = 0; i < 8 && world.leaders().includes(2) === false; i++) {
    for (const member of world.members) world.ready(member);
    while (world.network.length > 0) world.deliver(0);
  }
  return world;
}

describe("a new leader", () => {
  it("does not commit what a majority has of earlier terms", () => {
    const world = inheritedEntry();
    expect(world.leaders()).toContain(2);
    // "x" is at 3; the leaders of terms 1 and 2 have committed up to 2 before.
    expect(world.node(2).commit).toBe(2);
  });

  it("commits it along with the entry that its term begins with", () => {
    const world = inheritedEntry().settle();
    expect(world.texts(2)).toEqual(["x"]);
    expect(world.node(2).commit).toBe(4);
  });

  it("begins its term with an empty entry (section 8)", () => {
    const world = new World(three).elect(1);
    expect(world.applied.get(2)).toMatchObject({ term: 1, type: "EntryNormal" });
    expect(world.applied.get(2)?.data).toHaveLength(0);
  });
});

describe("what is committed", () => {
  it("is in the log of every later leader", () => {
    const world = new World({ size: 5, voters: [1, 2, 3, 4, 5] });
    let committed: string[] = [];
    for (let round = 0; round < 20; round++) {
      const down = [(round % 5) + 1, ((round * 2) % 5) + 1];
      const up = [1, 2, 3, 4, 5].filter((id) => !down.includes(id));
      world.reaches = (from, to) => up.includes(from) && up.includes(to);
      const before = committed.length;
      for (let attempt = 0; attempt < 12 && committed.length === before; attempt++) {
        const candidate = up[attempt % up.length] ?? 1;
        world.elect(candidate);
        if (world.node(candidate).state !== "StateLeader") continue;
        world.propose(candidate, `${round}.${attempt}`);
        for (let i = 0; i < 3; i++) world.tick(candidate).settle();
        const texts = world.texts(candidate);
        // A leader of an earlier term, who has not heard of the later one, commits nothing.
        if (!texts.includes(`${round}.${attempt}`)) continue;
        expect(texts.slice(0, before)).toEqual(committed);
        committed = texts;
      }
      expect(committed.length).toBeGreaterThan(before);
    }
    world.checkLogs();
  });

  it("stays after everybody has restarted", () => {
    const world = new World(three).elect(1);
    for (const text of "abc") world.propose(1, text);
    world.settle();
    for (const member of world.members) world.crash(member);
    for (const member of world.members) world.restart(member);
    world.elect(3);
    world.propose(3, "d");
    world.settle();
    expect(world.texts(2)).toEqual([..."abcd"]);
  });
});
