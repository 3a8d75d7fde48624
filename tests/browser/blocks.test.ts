// Blocking somebody, in a real Chromium: what they write is folded, and they can write to one no more. And muting them: in a room they
// can't write.
import { describe, expect, test } from "vitest";
import { CHROMIUM, committed, composer, hasNoViolations, say } from "./chromium.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

describe.skipIf(CHROMIUM === undefined)("blocking", { timeout: 300_000 }, () => {
  test("a blocked person's messages are folded on all tabs, and shown on demand", async () => {
    const [tess, bill] = await Promise.all([
      stage.member("tess", { room: "square" }),
      stage.member("bill", { room: "square" }),
    ]);
    await say(bill.page, "what a nuisance I am");
    await tess.page.getByText("what a nuisance I am", { exact: true }).waitFor();
    const other = await tess.tab(tess.page.url());
    await other.getByText("what a nuisance I am", { exact: true }).waitFor();
    await tess.page.getByRole("button", { name: /member/ }).click();
    await tess.page.getByRole("button", { name: "Block", exact: true }).click();
    await tess.page.getByText("bill is blocked.").waitFor();
    await tess.page.keyboard.press("Escape");
    for (const page of [tess.page, other]) {
      await page.getByText("what a nuisance I am", { exact: true }).waitFor({ state: "detached" });
    }
    await other.getByRole("button", { name: "Show", exact: true }).click();
    await other.getByText("what a nuisance I am", { exact: true }).waitFor();
    await tess.page.getByRole("button", { name: "Account", exact: true }).click();
    await tess.page.getByRole("button", { name: "Unblock" }).click();
    await tess.page.getByText("bill is no longer blocked.").waitFor();
    await tess.page.keyboard.press("Escape");
    await tess.page.getByText("what a nuisance I am", { exact: true }).waitFor();
    expect([...tess.complaints, ...bill.complaints]).toEqual([]);
    await Promise.all([tess.context.close(), bill.context.close()]);
  });

  test("a muted member can't write until it is lifted, keeps what they type, and is told why", async () => {
    // Whoever is there first has made the room, and is its admin.
    const eva = await stage.member("eva", { room: "hushed hall" });
    const tom = await stage.member("tom", { room: "hushed hall" });
    await say(tom.page, "loud words");
    await committed(tom.page, "loud words").waitFor();
    await eva.page.getByRole("button", { name: /member/ }).click();
    await eva.page.getByLabel("Whom you mute").selectOption("a day");
    await eva.page.getByRole("button", { name: "Mute", exact: true }).click();
    await eva.page.getByText("tom can't write here.").waitFor();
    await eva.page.getByText(/^muted until /).waitFor();
    await hasNoViolations(eva.page);
    const note = tom.page.getByText(/An admin of this room has muted you until /);
    await note.waitFor();
    await composer(tom.page).fill("softer words");
    await composer(tom.page).press("Enter");
    const send = tom.page.getByRole("button", { name: "Send", exact: true });
    expect(await send.isDisabled()).toBe(true);
    expect(await composer(tom.page).inputValue()).toBe("softer words");
    await hasNoViolations(tom.page);
    // Another device knows it from the list of rooms.
    await tom.page.reload();
    await note.waitFor();
    await eva.page.getByRole("button", { name: "Unmute" }).click();
    await eva.page.getByText("tom can write here.").waitFor();
    await note.waitFor({ state: "detached" });
    await composer(tom.page).press("Enter");
    await committed(tom.page, "softer words").waitFor();
    expect([...eva.complaints, ...tom.complaints]).toEqual([]);
    await Promise.all([eva.context.close(), tom.context.close()]);
  });
});
