#!/usr/bin/env node
// The command. Runs the TypeScript as it is; under a Node that is older than the pinned one it hands
// over to the one that was installed with the dependencies.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));

/** `-1`, `0` or `1`, comparing `major.minor.patch` by number. */
function compareVersions(left, right) {
  const a = left.split(".").map(Number);
  const b = right.split(".").map(Number);
  for (let at = 0; at < 3; at += 1) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return Math.sign(difference);
  }
  return 0;
}

/** The Node that came with the dependencies, in the nearest node_modules above this file. */
function installedNode() {
  for (let folder = here; ; folder = dirname(folder)) {
    const manifest = join(folder, "node_modules/node/package.json");
    const binary = join(folder, "node_modules/.bin/node");
    if (existsSync(manifest) && existsSync(binary)) {
      return { binary, version: JSON.parse(readFileSync(manifest, "utf8")).version };
    }
    if (dirname(folder) === folder) return undefined;
  }
}

/** Runs this very command under `binary` and ends as it ends. */
function handOver(binary) {
  const child = spawn(binary, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
    env: { ...process.env, PARLEY_HANDED_OVER: "1" },
  });
  // A terminal sends Ctrl-C to both; whoever signals this process alone means the child.
  process.on("SIGINT", () => {
    if (!process.stdin.isTTY) child.kill("SIGINT");
  });
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`parley: cannot start ${binary}: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

const pinned = installedNode();
const running = process.versions.node;
if (
  pinned !== undefined &&
  compareVersions(running, pinned.version) < 0 &&
  process.env.PARLEY_HANDED_OVER === undefined
) {
  handOver(pinned.binary);
} else if (compareVersions(running, "26.0.0") < 0) {
  console.error(
    `parley: needs Node 26 or newer, and this is ${running}. Run \`npm ci\` in the project's folder: it installs the right one beside it.`,
  );
  process.exit(1);
} else {
  (await import("node:module")).enableCompileCache();
  const { main } = await import("../src/main.ts");
  await main(process.argv.slice(2));
}
