// Some tests need a program of the system's: strace shows the order of sync and acknowledgement, ip makes machines, chromium-headless-shell is the
// browser. Where one is missing and this is Debian and root, it is installed; elsewhere those tests say that they skip.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Each with what serves in its place, best first. */
const PROGRAMS = [
  [{ name: "strace", package: "strace" }],
  [{ name: "ip", package: "iproute2" }],
  [
    { name: "chromium-headless-shell", package: "chromium-headless-shell" },
    { name: "chromium", package: "chromium" },
  ],
];

const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin", "/usr/bin"];
const has = ({ name }) => folders.some((folder) => existsSync(`${folder}/${name}`));
const wanted = PROGRAMS.filter(([best]) => !has(best));

if (wanted.length > 0) {
  const list = wanted.map(([best]) => best.package).join(", ");
  const canInstall = process.getuid?.() === 0 && has({ name: "apt-get" });
  const apt = (...args) =>
    spawnSync("apt-get", args, {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      stdio: "ignore",
    }).status === 0;
  const install = (program) =>
    canInstall && apt("install", "-y", "-qq", "--no-install-recommends", program.package);
  if (canInstall) console.error(`Installing for the tests (once; Debian's packages): ${list} …`);
  // An update that fails may leave lists that are good enough.
  if (canInstall) apt("update", "-qq");
  // What is not in the lists may be there in another form, or be had in it.
  const missing = wanted
    .filter(
      ([best, ...others]) =>
        !install(best) && !others.some((other) => has(other) || install(other)),
    )
    .map(([best]) => best.package);
  if (missing.length > 0) {
    console.error(
      `Missing and not installed: ${missing.join(", ")}. Tests that need them say that they skip; on Debian: sudo apt-get install ${missing.join(" ")}`,
    );
  }
}
