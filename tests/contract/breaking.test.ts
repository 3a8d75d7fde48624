// The guard of the wire contract: `npm run check` compares it with the last release. Here, that the guard bites.
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** What buf exits with when it finds something to say about the files. */
const FOUND = 100;

let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-contract-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Lints the contract after a change, or compares it with the release. */
function buf(
  command: readonly string[],
  file: string,
  change: (text: string) => string,
): Promise<{ readonly code: number; readonly output: string }> {
  cpSync(join(ROOT, "buf.yaml"), join(folder, "buf.yaml"));
  cpSync(join(ROOT, "proto"), join(folder, "proto"), { recursive: true });
  const path = join(folder, "proto/parley/v1", file);
  const text = readFileSync(path, "utf8");
  const changed = change(text);
  writeFileSync(path, changed);
  return new Promise((resolve) => {
    execFile(
      join(ROOT, "node_modules/.bin/buf"),
      [...command],
      { cwd: folder },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : Number(error.code);
        resolve({ code, output: stdout + stderr });
      },
    );
  });
}

const BREAKING = ["breaking", "--against", "proto/released.binpb"];

test.each([
  ["a field that is gone", "chat_messages.proto", "  uint64 reply_to_seq = 11;\n", ""],
  ["another number", "chat_messages.proto", "string body = 7", "string body = 70"],
  ["another type", "chat_messages.proto", "uint32 page_size = 2", "string page_size = 2"],
  ["another name", "cluster_messages.proto", "bool healthy = 11", "bool alive = 11"],
  ["a method that is gone", "chat.proto", /^ {2}rpc Unread.*\n/m, ""],
  ["a frame of peers", "raft_messages.proto", "uint64 log_term = 5", "uint64 log_term = 50"],
])("%s is refused", async (_, file, from, to) => {
  const { code, output } = await buf(BREAKING, file, (text) => {
    const changed = text.replace(from, to);
    expect(changed).not.toBe(text);
    return changed;
  });
  expect(code, output).toBe(FOUND);
  expect(output).toContain(file);
});

test("a new field, method or message is welcome", async () => {
  const { code, output } = await buf(BREAKING, "chat_messages.proto", (text) =>
    text.replace("uint64 reply_to_seq = 11;", "uint64 reply_to_seq = 11;\n  string colour = 99;"),
  );
  expect(code, output).toBe(0);
});

test("a name against the style is refused by the lint", async () => {
  const { code, output } = await buf(["lint"], "chat_messages.proto", (text) =>
    text.replace("uint64 reply_to_seq = 11;", "uint64 reply_to_seq = 11;\n  string BadName = 99;"),
  );
  expect(code, output).toBe(FOUND);
});
