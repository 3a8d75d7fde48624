import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { rich } from "./rich.ts";
import { t } from "./t.ts";

test("slots are filled in, and numbers have the form of their plural", () => {
  expect(t("members.title", { room: "lobby" })).toBe("Members of lobby");
  expect(t("room.members", { count: 1 })).toBe("1 member");
  expect(t("room.members", { count: 1200 })).toBe("1,200 members");
});

test("what is filled in is never read as a pattern", () => {
  expect(t("members.title", { room: "{room} {count}" })).toBe("Members of {room} {count}");
});

test("a name from right to left turns nothing of the words around it", () => {
  const room = "ירושלים 2026!";
  expect(t("members.title", { room })).toBe(`Members of \u2068${room}\u2069`);
  expect(t("invite.toRoom", { maker: "יעל", room: "lobby" })).toBe(
    "\u2068יעל\u2069 invites you to #lobby.",
  );
});

test("elements stand where their slots are", () => {
  const said = rich("composer.answering", { author: "ann", excerpt: "<b>" });
  expect(renderToStaticMarkup(said)).toBe("Answering ann: &lt;b&gt;");
});
