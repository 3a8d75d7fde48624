// Makes the pictures of the README: a cluster of its own, people in a real Chromium, and a node that is really killed.
// Run: node scripts/screenshots.mjs (needs Debian's chromium; writes docs/images).
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("..", import.meta.url));
const images = join(root, "docs/images");
const executablePath = ["/usr/bin/chromium", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path),
);
if (executablePath === undefined)
  throw new Error("no Chromium here (Debian: apt-get install chromium)");
mkdirSync(images, { recursive: true });

const folder = mkdtempSync(join(tmpdir(), "parley-pictures-"));
const args = [join(root, "apps/parley/bin/parley.mjs"), "dev", "--nodes", "5", "--data", folder];
const dev = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
let output = "";
await new Promise((resolve, reject) => {
  createInterface({ input: dev.stdout }).on("line", (line) => {
    output += `${line}\n`;
    if (line.includes("may die")) resolve();
  });
  dev.once("close", () => reject(new Error(output)));
});
const nodes = () => JSON.parse(readFileSync(join(folder, "cluster.json"), "utf8")).nodes;
const origin = (id) => `http://${nodes().find((node) => node.id === id).http}`;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

async function arrive(name, id, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1180, height: 720 }, ...options });
  const page = await context.newPage();
  await page.goto(origin(id));
  await page.getByRole("button", { name: "I am new here" }).click();
  await page.getByLabel("Username").fill(name);
  await page.getByLabel("Password").fill("a long password");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByRole("navigation").waitFor();
  return page;
}

async function createRoom(page, name, topic) {
  await page.getByRole("navigation").getByRole("button", { name: "New room" }).click();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("What is it about").fill(topic);
  await page.getByRole("button", { name: "Create room" }).click();
  await page.getByRole("heading", { name }).waitFor();
}

async function say(page, text) {
  const field = page.locator(".composer textarea");
  await field.fill(text);
  await field.press("Enter");
  await page.waitForFunction(() => document.querySelector(".composer textarea").value === "");
}

async function join_(page, name) {
  await page.getByRole("navigation").getByRole("button", { name: "Find rooms" }).click();
  await page.getByPlaceholder("Part of a name").fill(name);
  await page
    .getByRole("dialog")
    .getByRole("button", { name: `${name} ` })
    .first()
    .click();
  await page.getByRole("heading", { name }).waitFor();
}

const shot = (page, name) => page.screenshot({ path: join(images, `${name}.png`) });
try {
  const ada = await arrive("ada", 1);
  const ben = await arrive("ben", 2, { colorScheme: "dark" });
  const cleo = await arrive("cleo", 3, { viewport: { width: 390, height: 760 } });
  await createRoom(ada, "observatory", "The comet, the telescope, the weather");
  for (const name of ["harbour", "kitchen", "release 4.2"]) await createRoom(ben, name, "");
  for (const page of [ben, cleo]) await join_(page, "observatory");
  await ada.getByRole("link", { name: "observatory" }).click();
  await say(ada, "Clear sky from **22:40** on. Who brings the camera?");
  await say(
    ben,
    "I do. The mount needs these settings, as last time:\n\n```\nra  = 14h 03m\ndec = +54° 21'\n```",
  );
  await ben.getByText("last time").waitFor();
  await say(cleo, "I can be there at ten. Tea for everybody :)");
  await ada.getByText("Tea for everybody").waitFor();
  await ada.locator(".message", { hasText: "Tea" }).hover();
  await ada.getByRole("button", { name: "React with ❤️" }).last().click();
  await ada.getByRole("button", { name: "❤️, 1" }).waitFor();
  await ben.locator(".message", { hasText: "Clear sky" }).hover();
  await ben
    .locator(".message", { hasText: "Clear sky" })
    .getByRole("button", { name: "Reply" })
    .click();
  await say(ben, "Cleo, could you take the spare battery?");
  await cleo.getByText("spare battery").waitFor();
  await ada.getByText("spare battery").waitFor();
  await ada.mouse.move(600, 5);
  await ada.locator(".composer textarea").fill("Then the plan is:");
  await ada.waitForTimeout(1_500);
  await shot(ada, "light");
  await ben.mouse.move(600, 5);
  await shot(ben, "dark");
  await cleo.mouse.move(200, 5);
  await shot(cleo, "phone");
  // The node that Ada is connected to dies, and the leader; she goes on.
  await ada.locator(".composer textarea").fill("");
  const pill = await ada.locator(".pill").textContent();
  const mine = nodes().find(({ id }) => id === Number(/\d+/.exec(pill)[0]));
  process.kill(mine.pid, "SIGKILL");
  await say(ada, "Somebody just killed my server. Did you notice? I did not.");
  await ben.getByText("Somebody just killed").waitFor();
  await ada.locator('.message:has-text("Somebody") .tick[data-kind="committed"]').waitFor();
  await ada.waitForTimeout(1_500);
  await ada.locator(".pill").click();
  await ada.getByRole("dialog").waitFor();
  await shot(ada, "cluster");
  await ada.keyboard.press("Escape");
  // Two more: no majority is left.
  const others = nodes().filter(({ id, pid }) => pid !== null && id !== mine.id);
  for (const { pid } of others.slice(0, 2)) process.kill(pid, "SIGKILL");
  await ada.locator('.pill[data-kind="read-only"]').waitFor();
  await say(ada, "And this one waits, until a majority is back.");
  await ada.waitForTimeout(500);
  await shot(ada, "failover");
  const link = /http:\/\/127\.0\.0\.1:\d+\/[\w-]{20,}\//.exec(output)[0];
  const panel = await (
    await browser.newContext({ viewport: { width: 900, height: 760 } })
  ).newPage();
  await panel.goto(link);
  for (const { id } of others.slice(0, 2)) {
    await panel.getByRole("button", { name: `Restart node ${id}` }).click();
  }
  await panel.getByRole("button", { name: "Start the checker" }).click();
  await panel.waitForFunction(
    () => Number(document.querySelector('[data-count="acknowledged"]').textContent) > 60,
  );
  await shot(panel, "chaos");
} finally {
  await browser.close();
  dev.kill("SIGINT");
  await new Promise((resolve) => dev.once("close", resolve));
  rmSync(folder, { recursive: true, force: true });
}
