// One code for Node, browsers and the simulator: the core takes its environment from ports alone.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
/** Entries for Node, and what only they use. */
const NODE_ONLY = new Set(["grpc-carrier.ts", "file-outbox.ts", "file-outbox-lock.ts"]);
const PLATFORM = "platform.ts";
const AMBIENT =
  /\b(Date|performance|setTimeout|setInterval|setImmediate|process|crypto|Buffer|console)\b[.(]|Math\.random/;
const IMPORT = /from "([^"]+)"/g;

const sources = readdirSync(FOLDER).filter((name) => /(?<!\.test)\.ts$/.test(name));

/** Without comments, which may name anything. */
function codeOf(name: string): string {
  return readFileSync(`${FOLDER}/${name}`, "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
}

function importsOf(name: string): readonly string[] {
  return [...codeOf(name).matchAll(IMPORT)].map(([, from]) => from ?? "");
}

test("the rule finds what it forbids", () => {
  for (const bad of ["Date.now()", "setTimeout(a, 1)", "Math.random()", "process.pid"]) {
    expect(bad).toMatch(AMBIENT);
  }
  expect(codeOf(PLATFORM)).toMatch(AMBIENT);
  expect(sources.length).toBeGreaterThan(10);
});

test.each(sources.filter((name) => !NODE_ONLY.has(name) && name !== PLATFORM))(
  "%s takes time, chance and the rest of its environment from ports",
  (name) => {
    expect(codeOf(name)).not.toMatch(AMBIENT);
  },
);

test("the main entry reaches nothing that is specific to Node", () => {
  const seen = new Set<string>();
  const queue = ["index.ts"];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    for (const from of importsOf(name)) {
      if (from.startsWith("./")) queue.push(from.slice(2));
      else expect(from, `imported by ${name}`).toBe("@parley/protocol");
    }
  }
  expect(seen.size).toBeGreaterThan(10);
  for (const name of NODE_ONLY) expect(seen).not.toContain(name);
});
