// Some tests need a program of the system's: strace shows the order of sync and acknowledgement, ip makes machines, chromium-headless-shell is the
// browser, and chromium the one whose user has changed its settings. Where one is missing and this is Debian and root, it is installed; elsewhere
// those tests say that they skip.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const PROGRAMS = [
  { name: "strace", package: "strace" },
  { name: "ip", package: "iproute2" },
  { name: "chromium-headless-shell", package: "chromium-headless-shell" },
  { name: "chromium", package: "chromium" },
];

const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin", "/usr/bin"];
const has = (name) => folders.some((folder) => existsSync(`${folder}/${name}`));
const wanted = PROGRAMS.filter(({ name }) => !has(name)).map((program) => program.package);

if (wanted.length > 0) {
  const canInstall = process.getuid?.() === 0 && has("apt-get");
  const apt = (...args) =>
    spawnSync("apt-get", args, {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      stdio: "ignore",
    }).status === 0;
  if (canInstall) {
    console.error(`Installing for the tests (once; Debian's packages): ${wanted.join(", ")} …`);
    // An update that fails may leave lists that are good enough.
    apt("update", "-qq");
  }
  const install = (name) => apt("install", "-y", "-qq", "--no-install-recommends", name);
  // Each by itself: one that this Debian does not have takes no other along.
  const missing = wanted.filter((name) => !canInstall || !install(name)).join(" ");
  if (missing !== "") {
    console.error(
      `Missing and not installed: ${missing}. Tests that need them say that they skip; on Debian: sudo apt-get install ${missing}`,
    );
  }
}
