// The commands, in the order of the help.
import { Command } from "commander";
import { addProcessCommands } from "./process-commands.ts";

export function buildProgram(): Command {
  const program = new Command("parley")
    .description("A chat that does not stop when servers do.")
    .version("0.1.0")
    .showHelpAfterError("(see `parley --help`, or `parley <command> --help`)")
    .exitOverride()
    .addHelpText(
      "after",
      [
        "",
        "Exit codes: 0 done · 1 refused or failed · 2 wrong usage or configuration · 3 the server's address is taken ·",
        "            4 no server could be reached in time · 5 not signed in, or not allowed",
      ].join("\n"),
    );
  addProcessCommands(program);
  // Sub-commands throw as the program does, so that one place decides the exit code.
  for (const command of program.commands) command.exitOverride();
  return program;
}
