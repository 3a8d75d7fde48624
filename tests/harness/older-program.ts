// Makes the program that is loaded after this an older one, from before messages could be edited: it knows the first state version
// only, and has no such operation. Given to a server process with `--import`; it runs in each of its threads.
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../../packages/", import.meta.url).href;

/** What stands exactly once in its file, and what stands there in the older program. Later operations are left in: it never takes them. */
const EDITS: Readonly<
  Record<string, readonly (readonly [newer: string | RegExp, older: string])[]>
> = {
  "chat/src/state-version.ts": [
    [/export const STATE_VERSION = \d+;/, "export const STATE_VERSION = 1;"],
    ["  edit: 2,\n", ""],
  ],
  "chat/src/apply/apply-command.ts": [
    ['    case "edit":\n      return editMessage(context, account, op.value);\n', ""],
  ],
  "protocol/src/generated/parley/v1/command.ts": [
    [
      'message.op = { $case: "edit", value: EditCommand.decode(reader, reader.uint32()) };',
      "reader.skip(tag & 7);",
    ],
  ],
  "protocol/src/generated/parley/v1/session.ts": [
    [
      'message.op = { $case: "edit", value: EditRequest.decode(reader, reader.uint32()) };',
      "reader.skip(tag & 7);",
    ],
  ],
  "protocol/src/operations.ts": [
    ['  edit: operation(37, "Edit", "write", "account", EditRequest, EditResponse),\n', ""],
  ],
};

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const edits = url.startsWith(ROOT) ? EDITS[url.slice(ROOT.length)] : undefined;
    if (edits === undefined) return loaded;
    let source = readFileSync(fileURLToPath(url), "utf8");
    for (const [newer, older] of edits) {
      if (source.split(newer).length !== 2) throw new Error(`${url} has no single\n${newer}`);
      source = source.replace(newer, older);
    }
    return { ...loaded, source };
  },
});
