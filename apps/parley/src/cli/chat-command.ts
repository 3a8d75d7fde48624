// `parley chat`: the terminal chat.
import type { Command } from "commander";
import type { ChatFlags } from "../terminal/sign-in.ts";
import { addAccountOptions } from "./common-options.ts";

export function addChatCommand(program: Command): void {
  addAccountOptions(program.command("chat"))
    .description("chat at the terminal")
    .option("--register", "make the account first", false)
    .option("--invite <link>", "where an account takes one")
    .option("--no-typing", "don't tell others that you are typing")
    .action(async (flags: ChatFlags) => {
      const { runChat } = await import("../terminal/command.ts");
      process.exitCode = await runChat(flags);
    });
}
