/**
 * The published interaction scenarios of etcd-raft, an outside oracle, where they are at hand: beside the
 * repository, in ../shared/conformance/etcd-raft. Compared with their log texts, since those show that
 * the transitions agree, not only what comes out of them.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { formatMismatch, runScenario } from "../scenarios/runner.ts";

const folder = fileURLToPath(new URL("../../../../shared/conformance/etcd-raft/", import.meta.url));

describe("etcd-raft's published scenarios", () => {
  if (!existsSync(folder)) {
    it.skip("are not at hand (no ../shared/conformance/etcd-raft beside the repository)", () => {});
    return;
  }
  const names = readdirSync(folder).filter((name) => name.endsWith(".txt"));

  it("are there", () => {
    expect(names.length).toBeGreaterThan(0);
  });

  it.each(names)("%s agrees", (name) => {
    const { mismatches } = runScenario(readFileSync(`${folder}${name}`, "utf8"), true);
    expect(mismatches.map(formatMismatch).join("\n")).toBe("");
  });
});
