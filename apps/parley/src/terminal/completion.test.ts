import { describe, expect, it } from "vitest";
import { commonBeginning, completions } from "./completion.ts";

const sources = { rooms: ["lobby", "Lounge", "@ann"], people: ["bob", "ann"] };

describe("the Tab key", () => {
  it("knows commands, rooms and people, each where it belongs", () => {
    expect(completions("/re", sources)).toEqual([
      "/read",
      "/receipts",
      "/reply",
      "/react",
      "/rename",
      "/registration",
    ]);
    expect(completions("/join l", sources)).toEqual(["/join Lounge", "/join lobby"]);
    expect(completions("/dm ", sources)).toEqual(["/dm ann", "/dm bob"]);
    expect(completions("/topic l", sources)).toEqual([]);
    expect(completions("lob", sources)).toEqual([]);
    expect(completions("//re", sources)).toEqual([]);
  });
  it("goes as far as all candidates agree", () => {
    expect(commonBeginning(["/read", "/reply"])).toBe("/re");
    expect(commonBeginning(["/quit"])).toBe("/quit");
    expect(commonBeginning([])).toBe("");
  });
});
