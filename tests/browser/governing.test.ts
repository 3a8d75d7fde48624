// Who may what, by the buttons: two people, a room and an account, from the first invitation to their end.
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { CHROMIUM, hasNoViolations } from "./chromium.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

const press = (page: Page, name: string) =>
  page.getByRole("dialog").getByRole("button", { name, exact: true }).click();
const openMembers = (page: Page) => page.getByRole("button", { name: /^👥|\d+ member/ }).click();
const account = (page: Page) => page.getByRole("button", { name: "Account", exact: true }).click();

describe.skipIf(CHROMIUM === undefined)(
  "looking after a room and an account",
  { timeout: 300_000 },
  () => {
    test("invited by name, made an admin, renaming the room, a member again, banned; and the room is deleted", async () => {
      const pat = await stage.member("pat", { room: "council" });
      const quill = await stage.member("quill", { node: 2 });
      await openMembers(pat.page);
      await pat.page.getByLabel("Invite by username").fill("quill");
      await press(pat.page, "Invite");
      await pat.page.getByText("quill is in.").waitFor();
      await press(pat.page, "Make an admin");
      await pat.page.getByRole("dialog").getByText("admin", { exact: false }).first().waitFor();
      await quill.page.getByRole("link", { name: "council" }).click();
      await openMembers(quill.page);
      await quill.page.getByText("Name and topic").click();
      await quill.page.getByRole("dialog").getByLabel("Name", { exact: true }).fill("senate");
      await quill.page
        .getByRole("dialog")
        .getByLabel(/What is it about/)
        .fill("laws and roads");
      await hasNoViolations(quill.page);
      await press(quill.page, "Save");
      await quill.page.getByText("The room is changed.").waitFor();
      for (const { page } of [pat, quill]) {
        await page.locator("h1", { hasText: "senate" }).waitFor();
        await page.getByText("laws and roads").first().waitFor();
      }
      await press(pat.page, "Make a member");
      await pat.page.getByRole("button", { name: "Make an admin" }).waitFor();
      await press(pat.page, "Ban");
      await pat.page.getByText("quill was banned.").waitFor();
      await quill.page.getByText(/You were banned/).waitFor();
      await quill.page.getByRole("link", { name: "senate" }).waitFor({ state: "detached" });
      await press(pat.page, "Delete the room");
      await pat.page.getByRole("link", { name: "senate" }).waitFor({ state: "detached" });
      expect(pat.modals).toEqual(["Delete #senate and everything in it, for everybody?"]);
      expect([...pat.complaints, ...quill.complaints]).toEqual([]);
      await Promise.all([pat.context.close(), quill.context.close()]);
    });

    test("another name; a sign-in elsewhere is ended, another password; the account is deleted, and admits nobody", async () => {
      const rosa = await stage.member("rosa");
      const elsewhere = await stage.returns("rosa", 3);
      const { page } = rosa;
      await account(page);
      await page.getByLabel("Name that others see").fill("Rosa of the hill");
      await page.getByRole("button", { name: "Change" }).first().click();
      await page.getByText("The name is changed.").waitFor();
      await press(page, "End it");
      await page.getByText("It is ended.").waitFor();
      await elsewhere.page.getByLabel("Username").waitFor();
      await page.getByLabel("Password now").fill("a long password");
      await page.getByLabel("New password").fill("another long password");
      await page.getByRole("button", { name: "Change" }).nth(1).click();
      await page.getByText("The password is changed").waitFor();
      await page.getByText("Delete the account").click();
      const password = page.getByRole("dialog").getByLabel("Password", { exact: true });
      await password.fill("a wrong password");
      await press(page, "Delete my account");
      await page.getByRole("alert").waitFor();
      await password.fill("another long password");
      await press(page, "Delete my account");
      await page.getByLabel("Username").fill("rosa");
      await page.getByLabel("Password").fill("another long password");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("alert").waitFor();
      // Signing out, too, leaves nothing of the chat in the browser.
      const kept = await page.evaluate(async () => ({
        databases: (await indexedDB.databases()).map(({ name }) => name),
        keys: Object.keys(localStorage).filter(
          (key) => key.includes("sign-in") || key.includes("draft"),
        ),
      }));
      expect(kept).toEqual({ databases: [], keys: [] });
      expect(rosa.modals).toEqual(Array(2).fill("Delete your account for good?"));
      expect([...rosa.complaints, ...elsewhere.complaints]).toEqual([]);
      await Promise.all([rosa.context.close(), elsewhere.context.close()]);
    });
  },
);
