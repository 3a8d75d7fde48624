// Saving the files of messages.
import type { Command } from "commander";
import { wholeNumber } from "./arguments.ts";
import { addAccountOptions, output } from "./common-options.ts";
import { type CommonFlags, withAccount } from "./connection.ts";
import { filesOf, saveFile } from "./files.ts";
import { printable } from "./format.ts";
import { ownRoom } from "./rooms.ts";

const SEQ = wholeNumber(1, Number.MAX_SAFE_INTEGER);

interface SaveFlags extends CommonFlags {
  readonly to: string;
}

export function addFileCommands(program: Command): void {
  addAccountOptions(program.command("save"))
    .description("save the files of a message")
    .argument("<room>", "its name or number, or @account")
    .argument("<message>", "its number")
    .option("--to <folder>", "where to; made if need be", ".")
    .action(async (reference: string, word: string, flags: SaveFlags) => {
      const seq = SEQ(word.replace(/^#/, ""));
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const room = await ownRoom(client, reference, deadlineMs);
        const files = await filesOf(client, room.id, seq, deadlineMs);
        const paths: string[] = [];
        for (const one of files) paths.push(await saveFile(client, one, flags.to));
        output(
          flags.json,
          () => JSON.stringify({ paths }),
          () => paths.map(printable),
        );
      });
    });
}
