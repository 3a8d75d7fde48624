// `parley certs …`.
import type { Command } from "commander";
import { CERTIFICATE_DAYS_DEFAULT, type Made } from "../certs/command.ts";
import { wholeNumber } from "./arguments.ts";
import { output } from "./common-options.ts";

interface Flags {
  readonly dir?: string;
  readonly config?: string;
  readonly json: boolean;
}

interface IssueFlags extends Flags {
  readonly days: number;
  readonly replace: boolean;
}

function withFolder(command: Command): Command {
  return command
    .option("--config <file>", "the YAML file that lists the nodes")
    .option("--dir <folder>", "where the files are (default: certs/ beside the file, or here)")
    .option("--json", "print JSON", false);
}

function withValidity(command: Command): Command {
  return withFolder(command)
    .option("--days <n>", "how long it counts", wholeNumber(1, 3_650), CERTIFICATE_DAYS_DEFAULT)
    .option("--replace", "put a new one in the place of one that is there", false);
}

function show(made: Made, { json }: Flags): void {
  output(
    json,
    () => JSON.stringify({ files: made.files }),
    () => made.lines,
  );
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, ...value.split(",")];
}

const nodeId = wholeNumber(1, 1_000_000);

function collectIds(value: string, before: readonly number[]): readonly number[] {
  return [...before, nodeId(value)];
}

export function addCertsCommands(program: Command): void {
  const certs = program
    .command("certs")
    .description("make the certificates that encrypt and authenticate a cluster");

  withFolder(certs.command("init"))
    .description("make the cluster's own authority")
    .option("--cluster <name>", "what the cluster is called in certificates", "parley")
    .action(async (flags: Flags & { readonly cluster: string }) => {
      const { makeInit } = await import("../certs/command.ts");
      const { dir, config, cluster } = flags;
      show(await makeInit({ dir, config, cluster }), flags);
    });

  withValidity(certs.command("node"))
    .description("make certificates for the nodes of a configuration, or for the named ones")
    .argument("[ids...]", "which nodes (default: all of the file)", collectIds, [])
    .option("--host <name,…>", "also reached under this name or address", collect, [])
    .action(
      async (ids: readonly number[], flags: IssueFlags & { readonly host: readonly string[] }) => {
        const { makeNodes } = await import("../certs/command.ts");
        const { dir, config, days, replace, host: hosts } = flags;
        show(await makeNodes({ dir, config, ids, hosts, days, replace }), flags);
      },
    );

  withValidity(certs.command("client"))
    .description("make a certificate for somebody who uses or operates the cluster")
    .argument("[name]", "who it is for")
    .option("--operator", "it may change the cluster", false)
    .action(
      async (name: string | undefined, flags: IssueFlags & { readonly operator: boolean }) => {
        const { makeClient } = await import("../certs/command.ts");
        const { dir, config, days, replace, operator } = flags;
        show(await makeClient({ dir, config, name, operator, days, replace }), flags);
      },
    );
}
