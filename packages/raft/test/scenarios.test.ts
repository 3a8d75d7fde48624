/** The project's own scenarios, in scenarios/files; log texts included. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { formatScenario, parseScenario } from "../scenarios/datadriven.ts";
import { formatMismatch, runScenario } from "../scenarios/runner.ts";

const folder = fileURLToPath(new URL("../scenarios/files/", import.meta.url));
const names = readdirSync(folder).filter((name) => name.endsWith(".txt"));

describe("scenarios", () => {
  it("opens each with a comment that says what it shows", () => {
    for (const name of names) expect(readFileSync(`${folder}${name}`, "utf8"), name).toMatch(/^# /);
    expect(names.length).toBeGreaterThan(20);
  });

  it.each(names)("%s", (name) => {
    const { mismatches } = runScenario(readFileSync(`${folder}${name}`, "utf8"), true);
    expect(mismatches.map(formatMismatch).join("\n")).toBe("");
  });
});

describe("the scenario runner", () => {
  const file = [
    "log-level info",
    "----",
    "ok",
    "",
    "# A comment.",
    "add-nodes 1 voters=(1, 2) index=5 prevote=true",
    "----",
    "INFO 1 switched to configuration voters=(1 2)",
    "INFO 1 became follower at term 0",
    "INFO newRaft 1 [peers: [1,2], term: 0, commit: 5, applied: 5, lastindex: 5, lastterm: 1]",
    "",
    "raft-state",
    "----",
    "1: StateFollower (Voter) Term:0 Lead:0",
    "",
  ].join("\n");

  it("agrees with a file that is right, and writes it out as it was", () => {
    const { mismatches, rewritten } = runScenario(file, true);
    expect(mismatches).toEqual([]);
    expect(rewritten).toBe(file);
  });

  it("finds a wrong line", () => {
    const { mismatches } = runScenario(file.replace("Lead:0", "Lead:1"), false);
    expect(mismatches.map(({ line, command }) => `${line} ${command}`)).toEqual(["12 raft-state"]);
    expect(mismatches.map(formatMismatch).join()).toContain(
      "- 1: StateFollower (Voter) Term:0 Lead:1",
    );
  });

  it("compares log texts only if strict", () => {
    const other = file.replace("became follower", "turned follower");
    expect(runScenario(other, false).mismatches).toEqual([]);
    expect(runScenario(other, true).mismatches).toHaveLength(1);
    const without = file.replaceAll(/INFO.*\n/g, "");
    expect(runScenario(without, false).mismatches).toEqual([]);
  });

  it("reports what a command can't do as its output", () => {
    const { rewritten } = runScenario("frobnicate 1\n----\n\ncampaign 3\n----\n", true);
    expect(rewritten).toBe("frobnicate 1\n----\nunknown command\n\ncampaign 3\n----\nno node 3\n");
  });

  it("reads lists, doubled separators, input and continued lines", () => {
    const text =
      "a 1 \\\n  k=(1,2) v=x\nsome\ninput\n----\n----\none\n\ntwo\n----\n----\n\nb\n----\nok\n";
    const directives = parseScenario(text);
    expect(directives).toMatchObject([
      {
        command: "a",
        args: [
          { key: "1", values: [] },
          { key: "k", values: ["1", "2"] },
          { key: "v", values: ["x"] },
        ],
        input: "some\ninput",
        expected: "one\n\ntwo",
      },
      { command: "b", args: [], expected: "ok" },
    ]);
    expect(formatScenario(directives, ["one\n\ntwo", "ok"])).toBe(text);
  });
});
