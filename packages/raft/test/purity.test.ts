/** The core is a pure state machine: it imports nothing of others and asks nobody for time, chance or I/O. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const folder = fileURLToPath(new URL("../src/", import.meta.url));
const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
  (name) => name.endsWith(".ts") && !name.endsWith(".test.ts"),
);

function code(name: string): string {
  const text = readFileSync(`${folder}${name}`, "utf8");
  return text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
}

describe("the core", () => {
  it("is there", () => {
    expect(files.length).toBeGreaterThan(20);
  });

  it.each(files)("%s imports nothing from outside", (name) => {
    const imports = [...code(name).matchAll(/from "([^"]+)"/g)].map((match) => match[1]);
    expect(imports.filter((from) => !from?.startsWith("."))).toEqual([]);
    expect(imports.filter((from) => !from?.endsWith(".ts"))).toEqual([]);
  });

  it.each(files)("%s uses no clock, chance, promise or process", (name) => {
    const banned =
      /\b(Date|Math\.random|setTimeout|setInterval|setImmediate|queueMicrotask|performance|process|Promise|async|await|crypto|console|globalThis)\b/;
    expect(code(name).match(banned)?.[0]).toBeUndefined();
  });
});
