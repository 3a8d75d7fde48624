import { stripVTControlCharacters } from "node:util";
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
  it("shows with a reply the first words of what it answers", () => {
    const reply = Message.fromPartial({ seq: 8, author: "bob", body: "yes", replyToSeq: 7 });
    const line = (quoted: Partial<Message>) =>
      stripVTControlCharacters(
        messageLine(reply, "12:00", Message.fromPartial({ seq: 7, author: "ann", ...quoted })),
      );
    expect(line({ body: "shall we?\nI would" })).toBe("12:00 #8 bob (to #7 ann: shall we?): yes");
    expect(line({ body: "x".repeat(99) })).toContain(`(to #7 ann: ${"x".repeat(39)}…)`);
    expect(line({ body: "\u001b[2Jgone" })).toContain("(to #7 ann: gone)");
    expect(line({ deleted: true })).toContain("(to #7 ann: (deleted))");
    expect(stripVTControlCharacters(messageLine(reply, "12:00"))).toContain("bob (to #7): yes");
  });
});
