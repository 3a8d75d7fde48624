// The options that every command of the chat has.
import { type Command, Option } from "commander";
import { addressList, wholeNumber } from "./arguments.ts";

const TIMEOUT_SECONDS_DEFAULT = 10;

/** --server, --json, --timeout, --ca, --cert, --key, --insecure. */
export function addServerOptions(command: Command): Command {
  return command
    .option(
      "--server <host:port,…>",
      "nodes of the cluster; any of them will do (default: PARLEY_SERVER, or the dev cluster's)",
      addressList,
    )
    .option("--json", "print JSON", false)
    .option(
      "--ca <file>",
      "the cluster's authority, ca.crt (default: PARLEY_CA, or certs/ca.crt of the dev cluster or here)",
    )
    .option("--cert <file>", "your certificate (default: PARLEY_CERT, or client.crt beside ca.crt)")
    .option("--key <file>", "its key (default: PARLEY_KEY, or client.key beside ca.crt)")
    .option("--insecure", "talk in plain text, whatever certificates are found", false)
    .addOption(
      new Option("--timeout <seconds>", "how long to try")
        .default(TIMEOUT_SECONDS_DEFAULT)
        .argParser(wholeNumber(1, 3_600)),
    );
}

/** And --username, --password. */
export function addAccountOptions(command: Command): Command {
  return addServerOptions(command)
    .option("--username <name>", "sign in for this command alone (default: as `parley login` did)")
    .option("--password <password>", "its password (better: in PARLEY_PASSWORD)");
}

/** Text for people or JSON for programs. */
export function output(asJson: boolean, json: () => string, lines: () => readonly string[]): void {
  const text = asJson ? [json()] : lines();
  for (const line of text) process.stdout.write(`${line}\n`);
}
