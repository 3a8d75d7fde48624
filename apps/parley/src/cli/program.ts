// The commands, in the order of the help.
import { Command } from "commander";
import { VERSION } from "../version.ts";
import { addAccountCommands } from "./account-commands.ts";
import { addBackupCommands } from "./backup-commands.ts";
import { addCertsCommands } from "./certs-commands.ts";
import { addChatCommand } from "./chat-command.ts";
import { addClusterCommands } from "./cluster-commands.ts";
import { addFileCommands } from "./file-commands.ts";
import { addGoverningCommands } from "./governing-commands.ts";
import { addInviteCommands } from "./invite-commands.ts";
import { addMembershipCommands } from "./membership-commands.ts";
import { addMessageCommands } from "./message-commands.ts";
import { addProcessCommands } from "./process-commands.ts";
import { addRecoverCommand } from "./recover-command.ts";
import { addRoomCommands } from "./room-commands.ts";

export function buildProgram(): Command {
  const program = new Command("parley")
    .description("A chat that does not stop when servers do.")
    .version(VERSION)
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
  addCertsCommands(program);
  addChatCommand(program);
  addClusterCommands(program);
  addMembershipCommands(program);
  addBackupCommands(program);
  addRecoverCommand(program);
  addAccountCommands(program);
  addRoomCommands(program);
  addGoverningCommands(program);
  addInviteCommands(program);
  addMessageCommands(program);
  addFileCommands(program);
  return program;
}
