import { Message } from "@parley/protocol";
import { describe, expect, it } from "vitest";
import { clockTime, messageLine, printable, shortTime } from "./format.ts";

describe("text for a terminal", () => {
  it("shows the time of today, and the local day of any other", () => {
    const late = new Date(2026, 0, 2, 23, 59).getTime();
    expect(shortTime(late, late)).toBe("23:59");
    expect(shortTime(late, new Date(2026, 0, 3, 0, 1).getTime())).toBe("2026-01-02 23:59");
    const early = new Date(2026, 0, 2, 0, 1).getTime();
    expect(shortTime(early, new Date(2026, 0, 3).getTime())).toBe("2026-01-02 00:01");
    expect(clockTime(early)).toBe("00:01");
  });
  it("does not obey what others wrote", () => {
    expect(printable("a\u001b[2Jb\u0007c\u202ed")).toBe("ab\ufffdc\ufffdd");
  });
  it("lets the lines of one message stand under its first one", () => {
    const message = Message.fromPartial({ seq: 7, author: "ann", authorId: 1, body: "one\ntwo" });
    expect(messageLine(message, "12:00").split("\n")[1]).toBe("        two");
  });
});
