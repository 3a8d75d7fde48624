// Whether this machine lets a process be traced.
import { spawnSync } from "node:child_process";

/** Undefined where processes can be traced, else why not. */
export function whyNoTrace(): string | undefined {
  const probe = spawnSync("strace", ["-o", "/dev/null", "true"], { encoding: "utf8" });
  if (probe.error !== undefined) return "strace is not installed (Debian: apt-get install strace)";
  if (probe.status !== 0) return `strace may not trace here: ${probe.stderr.trim()}`;
  return undefined;
}
