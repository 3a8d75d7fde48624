// How many connections this process can really hold.
import { readFileSync } from "node:fs";

/** Descriptors kept for SQLite files, logs, HTTP and the runtime itself. */
const RESERVED_DESCRIPTORS = 512;

/** The soft limit of open files, where the system tells it (Linux). */
function openFilesMax(): number | undefined {
  try {
    const line = /^Max open files\s+(\d+|unlimited)/m.exec(
      readFileSync("/proc/self/limits", "utf8"),
    );
    const value = line?.[1];
    return value === undefined || value === "unlimited" ? undefined : Number(value);
  } catch {
    return undefined;
  }
}

/** `wanted`, or as many as the limit of open files leaves room for. */
export function connectionsWithinLimit(wanted: number, openFiles = openFilesMax()): number {
  if (openFiles === undefined) return wanted;
  return Math.max(16, Math.min(wanted, openFiles - RESERVED_DESCRIPTORS));
}
