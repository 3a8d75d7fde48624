// What a browser loads before it shows anything is bounded, so that it stays quick on slow lines.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";

const DIST = fileURLToPath(new URL("../../apps/web/dist/", import.meta.url));
const SCRIPT_BYTES_MAX = 180 * 1024;

test("the page's script is at most 180 KB, compressed, and the build lists all of its files for the worker", () => {
  const page = readFileSync(`${DIST}index.html`, "utf8");
  const scripts = [...page.matchAll(/(?:src|href)="(\/assets\/[^"]+\.js)"/g)].map(
    ([, path]) => path,
  );
  expect(scripts.length).toBeGreaterThan(0);
  const sizes = scripts.map((path) => gzipSync(readFileSync(`${DIST}${path}`)).length);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(SCRIPT_BYTES_MAX);
  const worker = readFileSync(`${DIST}sw.js`, "utf8");
  for (const name of readdirSync(`${DIST}assets`)) expect(worker).toContain(`/assets/${name}`);
  expect(worker).not.toContain("__PARLEY_BUILD__");
});
