// Files in messages: chosen, dropped and pasted, on their way while servers die, seen and saved by others; and files that are not what they say.
import { buffer } from "node:stream/consumers";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import { until } from "../harness/dev-cluster.ts";
import { CHROMIUM, composer, hasNoViolations, type Person } from "./chromium.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

interface Chosen {
  readonly name: string;
  readonly mimeType: string;
  readonly buffer: Buffer;
}

function choose(page: Page, ...files: Chosen[]): Promise<void> {
  return page.locator('.composer input[type="file"]').setInputFiles(files);
}

/** As a drop or a paste brings it. */
async function hand(page: Page, event: "drop" | "paste", name: string, text: string) {
  await composer(page).evaluate(
    (field, [kind, fileName, content]) => {
      const data = new DataTransfer();
      data.items.add(new File([content as string], fileName as string));
      const init = { bubbles: true, cancelable: true };
      field.dispatchEvent(
        kind === "drop"
          ? new DragEvent("drop", { ...init, dataTransfer: data })
          : new ClipboardEvent("paste", { ...init, clipboardData: data }),
      );
    },
    [event, name, text] as const,
  );
}

/** A PNG with a shape in it that stays when it is made small, and noise that makes it large. */
async function painted(page: Page, width: number, height: number): Promise<Buffer> {
  const base64 = await page.evaluate(
    async ([wide, high]) => {
      const canvas = new OffscreenCanvas(wide, high);
      const context = canvas.getContext("2d");
      if (context === null) throw new Error("no canvas here");
      const pixels = context.createImageData(wide, high);
      let noise = 1;
      for (let at = 0; at < pixels.data.length; at += 1) {
        noise = (noise * 1_103_515_245 + 12_345) % 2_147_483_648;
        pixels.data[at] = at % 4 === 3 ? 255 : (noise >> 16) & 0x1f;
      }
      context.putImageData(pixels, 0, 0);
      context.fillStyle = "gold";
      context.arc(wide / 2, high / 2, high / 4, 0, 7);
      context.fill();
      const bytes = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
      let text = "";
      for (const byte of bytes) text += String.fromCharCode(byte);
      return btoa(text);
    },
    [width, height] as const,
  );
  return Buffer.from(base64, "base64");
}

async function send(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Send" }).click();
  await until(async () => (await page.locator(".uploads li").count()) === 0, "the message taken");
}

async function saved(page: Page, name: string): Promise<Buffer> {
  const coming = page.waitForEvent("download");
  await page
    .getByRole("button", { name: `Save ${name}` })
    .first()
    .click();
  const download = await coming;
  expect(download.suggestedFilename()).toBe(name);
  return buffer(await download.createReadStream());
}

describe.skipIf(CHROMIUM === undefined)("files", { timeout: 300_000 }, () => {
  let flo: Person;
  let gabe: Person;

  beforeAll(async () => {
    [flo, gabe] = await Promise.all([
      stage.member("flo", { room: "pictures" }),
      stage.member("gabe", { node: 2, room: "pictures" }),
    ]);
  }, 240_000);

  test("a picture and a file go with a message; the other one sees the picture and saves both", async () => {
    const notes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 13) & 0xff));
    const { page } = flo;
    await choose(
      page,
      { name: "dot.png", mimeType: "image/png", buffer: PNG },
      { name: "notes.bin", mimeType: "application/octet-stream", buffer: notes },
    );
    await until(async () => (await page.locator(".uploads progress").count()) === 0, "both up");
    await hasNoViolations(page);
    await composer(page).fill("look at this");
    await send(page);
    const message = gabe.page.locator(".message", { hasText: "look at this" });
    await message.getByRole("img", { name: "dot.png" }).waitFor();
    expect((await saved(gabe.page, "notes.bin")).equals(notes)).toBe(true);
    expect((await saved(gabe.page, "dot.png")).equals(PNG)).toBe(true);
    await hasNoViolations(gabe.page);
  });

  test("a large picture is seen small at once, by a preview that its author's browser made, and large when it is asked for", async () => {
    const photo = await painted(flo.page, 1_600, 1_000);
    expect(photo.length).toBeGreaterThan(1024 * 1024);
    await choose(flo.page, { name: "photo.png", mimeType: "image/png", buffer: photo });
    await composer(flo.page).fill("from the hill");
    await until(
      async () => (await flo.page.locator(".uploads progress").count()) === 0,
      "it is up",
    );
    await send(flo.page);
    const { page } = gabe;
    const small = page.locator(".message img[alt='photo.png']");
    const widthOf = (picture: typeof small) =>
      picture.evaluate(async (image: HTMLImageElement) => {
        await image.decode();
        return image.naturalWidth;
      });
    expect(await widthOf(small)).toBe(640);
    await page.getByRole("button", { name: "Show photo.png" }).click();
    const dialog = page.getByRole("dialog", { name: "photo.png" });
    expect(await widthOf(dialog.locator("img"))).toBe(1_600);
    await hasNoViolations(page);
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toBe(
      "Show photo.png",
    );
    expect((await saved(page, "photo.png")).equals(photo)).toBe(true);
    await flo.page.getByRole("button", { name: "Account" }).click();
    await flo.page.getByText(/Your files take \d+ of 256 MiB/).waitFor();
    await flo.page.keyboard.press("Escape");
  });

  test("servers die while a large file is on its way: it arrives whole, once", async () => {
    const large = Buffer.alloc(6 * 1024 * 1024, "all of it ");
    const { page } = flo;
    await choose(page, { name: "large.bin", mimeType: "", buffer: large });
    const bar = page.locator(".uploads progress");
    await until(
      async () => Number(await bar.getAttribute("value").catch(() => "1")) > 0,
      "some of it to be there",
    );
    stage.cluster.kill(1);
    await until(async () => (await bar.count()) === 0, "the file to be up");
    await send(page);
    const files = gabe.page.getByRole("button", { name: "Save large.bin" });
    await files.first().waitFor();
    expect((await saved(gabe.page, "large.bin")).equals(large)).toBe(true);
    expect(await files.count()).toBe(1);
    await stage.cluster.restart(1);
  });

  test("what is dropped and pasted is taken; what was chosen can be left out; a message may be files alone", async () => {
    const { page } = flo;
    await hand(page, "drop", "dropped.txt", "dropped");
    await hand(page, "paste", "pasted.txt", "pasted");
    await page.getByRole("button", { name: "Leave dropped.txt out" }).click();
    // As the text is, it is kept while one looks into another room.
    const back = page.url();
    await flo.createRoom("corridor");
    expect(await page.locator(".uploads").count()).toBe(0);
    await page.goBack();
    await until(() => page.url() === back, "the room again");
    await page.locator(".uploads", { hasText: "pasted.txt" }).waitFor();
    await until(async () => (await page.locator(".uploads progress").count()) === 0, "it is up");
    // So it is over a reload: the servers have it.
    await page.reload();
    await page.locator(".uploads", { hasText: "pasted.txt" }).waitFor();
    await until(async () => (await page.locator(".uploads progress").count()) === 0, "it is up");
    await send(page);
    await gabe.page.getByRole("button", { name: "Save pasted.txt" }).waitFor();
    expect(await gabe.page.getByRole("button", { name: "Save dropped.txt" }).count()).toBe(0);
    expect((await saved(gabe.page, "pasted.txt")).toString()).toBe("pasted");
  });

  test("what is not what it says is no picture, what is too large or empty is refused, and nothing of it runs", async () => {
    const { page } = flo;
    const script = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    const bomb = Buffer.from(PNG);
    bomb.writeUInt32BE(60_000, 16);
    bomb.writeUInt32BE(60_000, 20);
    await choose(
      page,
      { name: "program.png", mimeType: "image/png", buffer: Buffer.from("MZ a program") },
      { name: "script.png", mimeType: "image/svg+xml", buffer: Buffer.from(script) },
      { name: "bomb.png", mimeType: "image/png", buffer: bomb },
    );
    await until(async () => (await page.locator(".uploads progress").count()) === 0, "all up");
    await composer(page).fill("open these");
    await send(page);
    const message = gabe.page.locator(".message", { hasText: "open these" });
    await until(
      async () => (await message.getByText("This is no picture").count()) === 3,
      "each to be known for what it is",
    );
    expect(await message.getByRole("img").count()).toBe(0);
    await choose(page, {
      name: "film.mp4",
      mimeType: "video/mp4",
      buffer: Buffer.alloc(9 * 1024 * 1024),
    });
    await page.getByText("at most 8 MiB").waitFor();
    await page.getByRole("button", { name: "Leave film.mp4 out" }).click();
    await choose(page, { name: "empty.txt", mimeType: "text/plain", buffer: Buffer.alloc(0) });
    await page.getByText("This file is empty.").waitFor();
    await page.getByRole("button", { name: "Leave empty.txt out" }).click();
    for (const person of [flo, gabe]) {
      expect(person.modals).toEqual([]);
      expect(person.complaints).toEqual([]);
    }
  });

  test("a deleted message's files are gone for everybody", async () => {
    const { page } = flo;
    await choose(page, { name: "mistake.txt", mimeType: "text/plain", buffer: Buffer.from("oh") });
    await until(async () => (await page.locator(".uploads progress").count()) === 0, "it is up");
    await composer(page).fill("a mistake");
    await send(page);
    const seen = gabe.page.getByRole("button", { name: "Save mistake.txt" });
    await seen.waitFor();
    const row = page.locator(".message", { hasText: "a mistake" });
    await row.hover();
    await row.getByRole("button", { name: "Delete" }).click();
    await until(async () => (await seen.count()) === 0, "it to be gone");
  });
});
