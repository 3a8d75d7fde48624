// A real Chromium, and people in it who use the page as people do.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { expect } from "vitest";

const NAMED = process.env.PARLEY_CHROMIUM ?? "";
const isThere = (path: string) => path !== "" && existsSync(path);

/** With all that its user can set in it. Undefined = there is none here, and what needs it skips (npm test says so before it begins). */
export const WHOLE_CHROMIUM = [
  NAMED,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find(isThere);

/** Without windows and settings, if that is there: half again as fast. Undefined = none. */
export const CHROMIUM = [NAMED, "/usr/bin/chromium-headless-shell", WHOLE_CHROMIUM ?? ""].find(
  isThere,
);

/** The script that puts axe into a page: of the package's own dependency, because the package itself puts it there anew for each look. */
const AXE_PACKAGE = createRequire(import.meta.url).resolve("@axe-core/playwright");
const AXE = readFileSync(createRequire(AXE_PACKAGE).resolve("axe-core/axe.min.js"), "utf8");

/** As much of it as is used here. */
interface Axe {
  run(options: object): Promise<{
    readonly violations: readonly {
      readonly id: string;
      readonly nodes: readonly { readonly html: string }[];
    }[];
  }>;
}

export const CHROMIUM_ARGS = ["--no-sandbox", "--disable-background-networking"];

export function launchChromium(more: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM ?? "", args: [...CHROMIUM_ARGS, ...more] });
}

/** Generous: the machines are slow at times. */
export const PATIENCE_MS = 60_000;

export const VIEWPORT = { width: 1200, height: 760 };

/** A person with a browser of their own: storage, workers and tabs are shared with nobody. */
export class Person {
  readonly name: string;
  readonly context: BrowserContext;
  readonly page: Page;
  /** What the pages complained about. */
  readonly complaints: string[] = [];
  /** `alert`, `confirm`, `prompt`: what stood in the way. */
  readonly modals: string[] = [];

  private constructor(name: string, context: BrowserContext, page: Page) {
    this.name = name;
    this.context = context;
    this.page = page;
    this.#watch(page);
  }

  static async arrive(browser: Browser, name: string, origin: string): Promise<Person> {
    return Person.in(await browser.newContext({ viewport: VIEWPORT }), name, origin);
  }

  /** With a browser that was set up for them. */
  static async in(context: BrowserContext, name: string, origin: string): Promise<Person> {
    context.setDefaultTimeout(PATIENCE_MS);
    const person = new Person(name, context, await context.newPage());
    await person.page.goto(origin);
    return person;
  }

  /** The clicks on its page from now on, in `clicks`: journeys have bounds. Before the page is loaded. */
  async countClicks(): Promise<{ readonly clicks: number }> {
    const counted = { clicks: 0 };
    this.page.on("console", (message) => {
      if (message.text() === "a click") counted.clicks += 1;
    });
    await this.page.addInitScript(() =>
      addEventListener("click", (event) => event.isTrusted && console.log("a click"), true),
    );
    return counted;
  }

  /** Another tab of the same browser. */
  async tab(url: string): Promise<Page> {
    const page = await this.context.newPage();
    this.#watch(page);
    await page.goto(url);
    return page;
  }

  #watch(page: Page): void {
    page.on("pageerror", (error) => this.complaints.push(error.message));
    page.on("dialog", (dialog) => {
      this.modals.push(dialog.message());
      void dialog.accept();
    });
  }

  async signUp(): Promise<void> {
    const { page } = this;
    await page.getByRole("button", { name: "I am new here" }).click();
    await page.getByLabel("Username").fill(this.name);
    await page.getByLabel("Password").fill("a long password");
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByRole("navigation").waitFor();
  }

  /** With another browser, and an account that is there. */
  static async returns(browser: Browser, name: string, origin: string): Promise<Person> {
    const person = await Person.arrive(browser, name, origin);
    const { page } = person;
    await page.getByLabel("Username").fill(name);
    await page.getByLabel("Password").fill("a long password");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("navigation").waitFor();
    return person;
  }

  async createRoom(name: string): Promise<void> {
    const { page } = this;
    await page.getByRole("navigation").getByRole("button", { name: "New room" }).click();
    await page.getByLabel("Name", { exact: true }).fill(name);
    await page.getByRole("button", { name: "Create room" }).click();
    await page.getByRole("heading", { name }).waitFor();
  }

  async joinRoom(name: string): Promise<void> {
    const { page } = this;
    await page.getByRole("navigation").getByRole("button", { name: "Find rooms" }).click();
    await page.getByPlaceholder("Part of a name").fill(name);
    await page
      .getByRole("button", { name: `${name} ` })
      .first()
      .click();
    // A composer may be there already: the one of the room that was open.
    await page.getByRole("heading", { name }).waitFor();
    await composer(page).waitFor();
  }
}

export function composer(page: Page) {
  return page.locator(".composer textarea");
}

/** Types and presses Enter; resolves when the field is empty again, which means durable in the outbox. */
export async function say(page: Page, text: string): Promise<void> {
  await composer(page).fill(text);
  await composer(page).press("Enter");
  await page.waitForFunction(
    () => document.querySelector<HTMLTextAreaElement>(".composer textarea")?.value === "",
  );
}

/** The bodies of the messages that are mounted, in their order. */
export function bodies(page: Page): Promise<readonly string[]> {
  return page.locator(".message .body").allTextContents();
}

/** The node that a page is connected to, as its pill says; 0 = none. */
export async function servingNode(page: Page): Promise<number> {
  const text = await page.locator(".pill").textContent();
  return Number(/node (\d+)/.exec(text ?? "")?.[1] ?? 0);
}

/** The message with this text has been committed. */
export function committed(page: Page, text: string) {
  return page
    .locator(".message:not(.unsent)", { hasText: text })
    .locator('.tick[data-kind="committed"]');
}

/** Of axe's rules, those whose outcome depends on colours. */
export const COLOUR_RULES = ["color-contrast", "link-in-text-block"];

/**
 * Nothing that a screen reader or a keyboard would stumble over; `what` was looked at, for the failure. `rules`: only these of axe's; left out: all. It looks
 * from within the page: a second page, opened and closed for it, can take the focus along when it goes, and Chromium then gives it to the first
 * thing on the page.
 */
export async function hasNoViolations(
  page: Page,
  what = "",
  rules: readonly string[] = [],
): Promise<void> {
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(AXE);
  const found = await page.evaluate(
    async (only) => {
      const { axe } = globalThis as unknown as { readonly axe: Axe };
      const { violations } = await axe.run({
        // To tell of all that is well takes as long as to look.
        resultTypes: ["violations"],
        // WCAG 2.2 AA, which axe leaves out by itself.
        rules: { "target-size": { enabled: true } },
        ...(only.length === 0 ? {} : { runOnly: { type: "rule", values: only } }),
      });
      return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html ?? ""}`);
    },
    [...rules],
  );
  expect(found, what).toEqual([]);
}
