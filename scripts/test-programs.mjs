// Some tests need a program of the system's: strace shows the order of sync and acknowledgement, ip makes machines, chromium is the browser. Where
// one is missing and this is Debian and root, it is installed; elsewhere those tests say that they skip.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const PROGRAMS = [
  { name: "strace", package: "strace" },
  { name: "ip", package: "iproute2" },
  { name: "chromium", package: "chromium" },
];

const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin", "/usr/bin"];
const has = (name) => folders.some((folder) => existsSync(`${folder}/${name}`));
const missing = PROGRAMS.filter(({ name }) => !has(name)).map((program) => program.package);

if (missing.length > 0) {
  const list = missing.join(", ");
  const canInstall = process.getuid?.() === 0 && has("apt-get");
  const apt = (...args) =>
    spawnSync("apt-get", args, {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      stdio: "ignore",
    }).status === 0;
  if (canInstall) console.error(`Installing for the tests (once; Debian's packages): ${list} …`);
  // An update that fails may leave lists that are good enough.
  if (canInstall) apt("update", "-qq");
  const isDone = canInstall && apt("install", "-y", "-qq", "--no-install-recommends", ...missing);
  if (!isDone) {
    console.error(
      `Missing and not installed: ${list}. Tests that need them say that they skip; on Debian: sudo apt-get install ${missing.join(" ")}`,
    );
  }
}
