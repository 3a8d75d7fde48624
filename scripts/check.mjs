// `npm run check`: format, lint, types, layers, texts, generated code. All at once, in seconds.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name) => join(root, "node_modules/.bin", name);

const steps = [
  ["format and lint", bin("biome"), ["check", "--error-on-warnings", "."]],
  ["types", bin("tsc"), ["--noEmit"]],
  ["types in a browser", bin("tsc"), ["--noEmit", "-p", "packages/client/tsconfig.browser.json"]],
  ["types of the web app", bin("tsc"), ["--noEmit", "-p", "apps/web/tsconfig.json"]],
  ["types of its worker", bin("tsc"), ["--noEmit", "-p", "apps/web/tsconfig.worker.json"]],
  ["layers", process.execPath, [join(root, "scripts/check-layers.mjs")]],
  ["texts of the web app", bin("vitest"), ["run", "apps/web/src/text/literals.test.ts"]],
  ["generated code", process.execPath, [join(root, "scripts/generate.mjs"), "--check"]],
];

function run([name, command, args]) {
  return new Promise((resolve) => {
    const started = performance.now();
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", (error) => (output += error.message));
    child.on("close", (code) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      if (code !== 0) process.stdout.write(output);
      console.log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
      resolve(code === 0);
    });
  });
}

const results = await Promise.all(steps.map(run));
if (results.includes(false)) process.exit(1);
