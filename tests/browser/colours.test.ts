// Every view, with something in it, in the light and in the dark scheme and on a phone: axe finds nothing that is hard to read, and nothing that
// a screen reader would stumble over.
import { invitePath, newSecret, type ParleyClient, passwordPath } from "@parley/client";
import { uploadFile } from "@parley/client/files";
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CHROMIUM,
  COLOUR_RULES,
  committed,
  composer,
  hasNoViolations,
  say,
  VIEWPORT,
} from "./chromium.ts";
import { createRooms, OWNER, sdkPerson, sdkReturns } from "./sdk-person.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

const PHONE = { width: 390, height: 780 };
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const FORMATTED =
  "A **bold** word, [a link](https://example.org), `code`, ~~gone~~.\n\n> quoted\n\n- one\n- two\n\n| a | b |\n| - | - |\n| 1 | 2 |";
const CODE = "```ts\nconst a: number = 1; // why\n```\n\n```diff\n- old\n+ new\n```";

/** Of programs: they fill the room in which a browser looks around. */
let people: {
  readonly owner: ParleyClient;
  readonly otto: ParleyClient;
  readonly rolf: ParleyClient;
};
let gallery: number;

/** In both schemes; they differ in nothing but colours. */
async function isReadable(page: Page, what: string): Promise<void> {
  await page.emulateMedia({ colorScheme: "dark" });
  await hasNoViolations(page, `${what}, dark`);
  await page.emulateMedia({ colorScheme: "light" });
  await hasNoViolations(page, `${what}, light`, COLOUR_RULES);
}

/** Messages of every sort in the gallery, from the owner and from others, some of them unread; and rooms beside it that have something new. */
async function fillRooms(): Promise<void> {
  const { owner, otto, rolf } = people;
  const [first = 0, gable = 0] = await createRooms(owner, ["gallery", "gable"]);
  gallery = first;
  for (const client of [otto, rolf]) {
    for (const roomId of [gallery, gable]) await client.call("joinRoom", { roomId });
  }
  const { message: root } = await owner.send(gallery, FORMATTED);
  const { message: code } = await owner.send(gallery, CODE);
  const { message: wrong } = await owner.send(gallery, "wrong");
  const { message: gone } = await owner.send(gallery, "gone");
  await owner.call("edit", { roomId: gallery, seq: wrong.seq, body: "right", expectedVersion: 0 });
  await owner.call("delete", { roomId: gallery, seqs: [gone.seq] });
  await owner.call("pin", { roomId: gallery, seq: code.seq, pinned: true });
  await owner.call("markRead", { roomId: gallery, seq: gone.seq });
  await owner.call("block", { username: "rolf", blocked: true });
  await owner.call("setRoomPreference", { roomId: gable, starred: true, muted: true });
  await rolf.send(gallery, "from somebody who is blocked");
  await otto.send(gallery, "an answer", { replyToSeq: root.seq });
  await otto.send(gallery, "in the thread", { threadRootSeq: root.seq });
  await otto.send(gallery, "and *once* more", { threadRootSeq: root.seq });
  for (const [client, emoji] of [
    [otto, "🎉"],
    [owner, "🎉"],
    [otto, "👀"],
  ] as const)
    await client.call("react", { roomId: gallery, seq: root.seq, emoji, add: true });
  const files = [
    await uploadFile(otto, { clientFileId: "1", name: "dot.png", bytes: PNG }),
    await uploadFile(otto, { clientFileId: "2", name: "notes.txt", bytes: Buffer.from("notes") }),
  ];
  await otto.send(gallery, "files", { files });
  await otto.send(gallery, "@owner, look: https://example.org and `this`");
  await otto.send(gable, "@owner, here too");
  const { room: direct } = await otto.call("openDirect", { username: "owner" });
  await otto.send(direct?.id ?? 0, "only for you");
}

async function paste(field: Locator, text: string): Promise<void> {
  await field.evaluate((element, pasted) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", pasted);
    const init = { bubbles: true, cancelable: true, clipboardData };
    element.dispatchEvent(new ClipboardEvent("paste", init));
  }, text);
}

function row(page: Page, text: string): Locator {
  return page.locator(".room-page .message", { hasText: text });
}

async function act(page: Page, text: string, name: string): Promise<void> {
  await row(page, text).hover();
  await row(page, text).getByRole("button", { name, exact: true }).click();
}

describe.skipIf(CHROMIUM === undefined)("colours", { timeout: 300_000 }, () => {
  beforeAll(async () => {
    const owner = await sdkReturns(stage.cluster, OWNER);
    const [otto, rolf] = await Promise.all([
      sdkPerson(stage.cluster, "otto"),
      sdkPerson(stage.cluster, "rolf"),
    ]);
    people = { owner, otto, rolf };
    await fillRooms();
  }, 180_000);

  afterAll(async () => {
    await Promise.all(Object.values(people ?? {}).map((client) => client.close()));
  }, 60_000);

  test("who is not in yet: signing in, making an account, a password link, and the welcome", async () => {
    const nora = await stage.arrive("nora");
    const { page } = nora;
    await isReadable(page, "signing in");
    await page.getByLabel("Username").fill(OWNER);
    await page.getByLabel("Password").fill("a wrong password");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    await isReadable(page, "a refused sign-in");
    await page.getByRole("button", { name: "I am new here" }).click();
    await isReadable(page, "a new account");
    await page.reload();
    await nora.signUp();
    await page.getByRole("heading", { name: "Welcome" }).waitFor();
    await isReadable(page, "the welcome");
    await page.setViewportSize(PHONE);
    await isReadable(page, "the welcome on a phone");
    const tab = await nora.tab(`${stage.originOf(1)}${passwordPath(newSecret())}`);
    await tab.getByLabel("New password").fill("another long password");
    await tab.getByRole("button", { name: "Set the password" }).click();
    await tab.getByRole("alert").waitFor();
    await isReadable(tab, "a password link that does not count");
    expect(nora.complaints).toEqual([]);
    await nora.context.close();
  });

  test("a room with every sort of message, what is done with them, and a thread; at a desk and on a phone", async () => {
    const owner = await stage.returns(OWNER);
    const { page } = owner;
    await page.getByRole("link", { name: /^gallery/ }).waitFor();
    await isReadable(page, "the welcome with rooms");
    await page.getByRole("link", { name: /^gallery/ }).click();
    await row(page, "look: ").waitFor();
    await page.locator(".unread-line").waitFor();
    await page.getByRole("img", { name: "dot.png" }).waitFor();
    await page.locator(".hljs-addition").waitFor();
    await isReadable(page, "a room");
    await row(page, "an answer").hover();
    await isReadable(page, "what can be done with a message");
    await row(page, "an answer").locator("a.time").click();
    await page.locator(".message.target").waitFor();
    await isReadable(page, "the message of the address");
    await act(page, "an answer", "Reply");
    await page.getByText("Answering otto").waitFor();
    await composer(page).pressSequentially("@o");
    await page.getByRole("option", { name: "otto" }).waitFor();
    await isReadable(page, "an answer, and names for it");
    await composer(page).fill("");
    await act(page, "right", "Edit");
    await page.getByText("Editing a message").waitFor();
    await isReadable(page, "a message that is edited");
    await composer(page).press("Escape");
    await page
      .locator('.room-page input[type="file"]')
      .setInputFiles([{ name: "chosen.txt", mimeType: "text/plain", buffer: Buffer.from("text") }]);
    await page.getByRole("button", { name: "Leave chosen.txt out" }).waitFor();
    await composer(page).fill("far too long ".repeat(2_000));
    await page.getByText(/at most 16,384 bytes/).waitFor();
    await isReadable(page, "a chosen file, and too long a text");
    await composer(page).fill("");
    await page.getByRole("button", { name: "Leave chosen.txt out" }).click();
    await paste(composer(page), "far too long to be shortened in the field ".repeat(2_000));
    await page.getByText("It is kept here, beside the field.").waitFor();
    await isReadable(page, "a text that is kept beside the field");
    await page.setViewportSize(PHONE);
    await isReadable(page, "a text that is kept beside the field, on a phone");
    await page.setViewportSize(VIEWPORT);
    await page.getByRole("button", { name: "Throw it away" }).click();
    const typing = setInterval(() => people.otto.typing(gallery), 1_000);
    try {
      await page.locator(".typing bdi", { hasText: "otto is typing" }).waitFor();
      await isReadable(page, "somebody is typing");
    } finally {
      clearInterval(typing);
    }
    await act(page, "right", "Choose");
    await page.getByRole("toolbar").waitFor();
    await isReadable(page, "messages that are chosen");
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByRole("link", { name: /2 replies.*2 new/ }).click();
    const panel = page.getByRole("complementary");
    await panel.getByText("in the thread").waitFor();
    await isReadable(page, "a thread");
    await page.setViewportSize(PHONE);
    await isReadable(page, "a thread on a phone");
    await panel.getByRole("button", { name: "Close the thread" }).click();
    await composer(page).waitFor();
    await isReadable(page, "a room on a phone");
    await page.getByRole("button", { name: "All rooms" }).click();
    await page.getByRole("navigation").waitFor();
    await isReadable(page, "the rooms on a phone");
    await page.goto(`${stage.originOf(1)}/r/9999`);
    await page.getByText("You are not in that room.").waitFor();
    await isReadable(page, "the rooms on a phone, and why they are shown");
    expect(owner.modals).toEqual([]);
    expect(owner.complaints).toEqual([]);
    await owner.context.close();
  });

  test("every dialog", async () => {
    const secret = newSecret();
    const { otto } = people;
    const [ottoman = 0] = await createRooms(otto, ["ottoman"]);
    await otto.call("createInvite", { roomId: ottoman, secret, ttlMs: 0 });
    const owner = await stage.returns(OWNER, 1, `/r/${gallery}`);
    const { page } = owner;
    await row(page, "look: ").waitFor();
    const nav = page.getByRole("navigation");
    const dialog = page.getByRole("dialog");
    const titles = new Set<string>();
    const look = async (what: string) => {
      titles.add((await dialog.getByRole("heading").first().textContent()) ?? "");
      await isReadable(page, what);
      await page.setViewportSize(PHONE);
      await hasNoViolations(page, `${what} on a phone`);
      await page.setViewportSize(VIEWPORT);
      // Of a search that is not empty, the first one only empties it.
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "detached" });
    };
    const open = (name: string, exact = true) => nav.getByRole("button", { name, exact }).click();

    await open("Jump to", false);
    await dialog.getByRole("option").first().waitFor();
    await look("the switcher");
    await open("Search messages", false);
    await isReadable(page, "what a search can be");
    await page.keyboard.type("look");
    await dialog.getByRole("option").first().waitFor();
    await look("what is found");
    await open("New room", false);
    await dialog.getByLabel("Name", { exact: true }).fill("Gallery");
    await dialog.getByRole("button", { name: "Create room" }).click();
    await dialog.getByRole("alert").waitFor();
    await look("a new room that is refused");
    await open("Find rooms", false);
    await dialog.getByPlaceholder("Part of a name").fill("otto");
    await dialog.getByText("ottoman").waitFor();
    await dialog.getByText("@otto").waitFor();
    await look("the directory");
    await page.locator(".pill").click();
    await dialog.getByRole("cell", { name: "leader" }).waitFor();
    await look("the cluster");
    await open("Account");
    await dialog.getByLabel("Accounts here can be made by").waitFor();
    await dialog.getByRole("button", { name: "Unblock" }).waitFor();
    await dialog.getByText("Delete the account").click();
    await dialog.getByLabel("Somebody forgot").fill("otto");
    await dialog.getByRole("button", { name: "Make a link" }).click();
    await dialog.getByLabel("Password link").waitFor();
    await look("the account");
    await open("Sign out");
    await look("signing out");
    await page.getByRole("button", { name: "Pins" }).click();
    await dialog.getByRole("listitem").waitFor();
    await look("the pins");
    await page.getByRole("button", { name: "3 members" }).click();
    await dialog.getByText("@otto").waitFor();
    await dialog.getByText("Invite links").click();
    await dialog.getByRole("button", { name: "Make a link" }).click();
    await dialog.getByLabel("Invite link", { exact: true }).waitFor();
    await look("the members");
    await page.getByRole("button", { name: "Keyboard shortcuts" }).click();
    await look("the keys");
    await page.getByRole("button", { name: "Emoji", exact: true }).click();
    await dialog.getByRole("gridcell").first().waitFor();
    await look("the emoji");
    await page.goto(`${stage.originOf(1)}${invitePath(secret)}`);
    await dialog.getByRole("button", { name: "Join" }).waitFor();
    await look("an invite");
    expect(titles.size).toBe(12);
    expect(owner.modals).toEqual([]);
    expect(owner.complaints).toEqual([]);
    await owner.context.close();
  });

  test("bad times: no server, and what waits or is not taken", async () => {
    const owner = await stage.returns(OWNER);
    const { page } = owner;
    await people.otto.call("block", { username: "owner", blocked: true });
    await page.getByRole("link", { name: /^otto/ }).click();
    await page.getByText("only for you").waitFor();
    await say(page, "does that arrive?");
    await page.locator(".message.failed").waitFor();
    await isReadable(page, "a message that is not taken");
    await page.getByRole("link", { name: /^gallery/ }).click();
    await row(page, "look: ").waitFor();
    for (const { id } of stage.cluster.nodes) stage.cluster.kill(id);
    await say(page, "it waits");
    await page.locator(".message.unsent", { hasText: "it waits" }).waitFor();
    await page.getByText("Reconnecting, your messages are kept; 1 message waiting").waitFor();
    await isReadable(page, "no server");
    await page.locator(".pill").click();
    await page.getByRole("dialog").waitFor();
    await isReadable(page, "the cluster without a server");
    await page.keyboard.press("Escape");
    await page.getByRole("navigation").getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("dialog").getByLabel("Unsent messages").waitFor();
    await isReadable(page, "signing out with something unsent");
    await page.keyboard.press("Escape");
    await page.setViewportSize(PHONE);
    await isReadable(page, "no server, on a phone");
    await stage.cluster.heal();
    await committed(page, "it waits").waitFor();
    expect(owner.modals).toEqual([]);
    expect(owner.complaints).toEqual([]);
    await owner.context.close();
  });

  test("what an earlier sign-in in this browser has left unsent", async () => {
    const owner = await stage.returns(OWNER, 1, `/r/${gallery}`);
    const { page } = owner;
    await row(page, "look: ").waitFor();
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => {}));
    for (const { id } of stage.cluster.nodes) stage.cluster.kill(id);
    await page.getByText(/^Reconnecting/).waitFor();
    await say(page, "never sent");
    await page.evaluate(() => localStorage.removeItem("parley:sign-in"));
    await page.reload();
    await page.getByLabel("Username").waitFor();
    await stage.cluster.heal();
    await page.getByLabel("Username").fill("otto");
    await page.getByLabel("Password").fill("a long password");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("1 unsent message of an earlier").waitFor();
    await isReadable(page, "something unsent of an earlier sign-in");
    await page.setViewportSize(PHONE);
    await isReadable(page, "something unsent of an earlier sign-in, on a phone");
    await page.getByRole("button", { name: "Show", exact: true }).first().click();
    await page.getByLabel("Unsent messages").waitFor();
    await isReadable(page, "what is unsent of an earlier sign-in, on a phone");
    await page.setViewportSize(VIEWPORT);
    await isReadable(page, "what is unsent of an earlier sign-in");
    expect(owner.complaints).toEqual([]);
    await owner.context.close();
  });
});
