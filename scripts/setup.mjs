// Makes a fresh clone ready: installs dependencies when the lock file is newer than the last
// installation, and nothing otherwise. Runs before `npm start`, `npm test` and `npm run check`, on
// any Node ≥ 20; the pinned Node comes with the dependencies.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const stamp = `${root}node_modules/.parley-installed`;
const lock = readFileSync(`${root}package-lock.json`, "utf8");
const workspaces = readFileSync(`${root}package.json`, "utf8");
const wanted = `${lock}\n${workspaces}`;

if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
  console.error("Installing dependencies (once; from the npm registry) …");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const result = spawnSync(npm, ["ci", "--no-fund", "--no-audit", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (result.status !== 0) {
    console.error(
      "npm ci failed; see above. Check the connection to the npm registry and try again.",
    );
    process.exit(result.status ?? 1);
  }
  writeFileSync(stamp, wanted);
}
