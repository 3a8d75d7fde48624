// Builds the web app that every node serves, when its sources changed since the last time, and otherwise does nothing. Runs before
// `npm start`; browser tests run it too.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const stamp = join(root, "apps/web/dist/.built-from");
const SOURCES = [
  "scripts/build-web.mjs",
  "apps/web/index.html",
  "apps/web/package.json",
  "apps/web/vite.config.ts",
  "apps/web/src",
  "apps/web/public",
  "packages/client/src",
  "packages/protocol/src",
  "package-lock.json",
];

function filesOf(path) {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path).flatMap((name) => filesOf(join(path, name)));
}

function hashOfSources() {
  const hash = createHash("sha256");
  const files = SOURCES.flatMap((source) => filesOf(join(root, source)));
  for (const file of files.filter((name) => !name.includes(".test.")).sort()) {
    hash.update(`${file.slice(root.length)}\n`).update(readFileSync(file));
  }
  return hash.digest("hex");
}

const wanted = hashOfSources();
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
  console.error("Building the web app (when its sources changed) …");
  const vite = join(root, "node_modules/vite/bin/vite.js");
  const args = [vite, "build", "--config", join(root, "apps/web/vite.config.ts")];
  // The Node that came with the dependencies: whoever runs this may be older.
  const pinned = join(root, "node_modules/.bin/node");
  const node = existsSync(pinned) ? pinned : process.execPath;
  // Whoever runs this may have another NODE_ENV, as tests do, and React would be the one for developers.
  const env = { ...process.env, NODE_ENV: "production" };
  const result = spawnSync(node, args, { cwd: root, env, stdio: ["ignore", 2, 2] });
  if (result.status !== 0) {
    console.error(
      "The web app could not be built; see above. Nodes go on serving what was built before, if anything was.",
    );
    process.exit(result.status ?? 1);
  }
  writeFileSync(stamp, wanted);
}
