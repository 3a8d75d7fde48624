// Commands that run servers: `dev`, `dev-control`, `server`.
import { Argument, type Command } from "commander";
import { CONTROL_COMMANDS, type ControlReply } from "../dev/control.ts";
import { addressList, wholeNumber } from "./arguments.ts";

const DATA_DEFAULT = ".parley";

interface DevFlags {
  readonly nodes?: number;
  readonly witnesses?: number;
  readonly data: string;
  readonly basePort?: number;
  readonly fresh: boolean;
  readonly supervise: boolean;
  readonly demo: boolean;
}

function showReply(reply: ControlReply, asJson: boolean): void {
  if (asJson) {
    console.log(JSON.stringify(reply));
    return;
  }
  if (!reply.ok) throw new Error(reply.error);
  const { ok: _, nodes, ...rest } = reply;
  const words = Object.entries(rest).map(([name, value]) => `${name} ${String(value)}`);
  console.log(["done", ...words].join("  "));
  if (!Array.isArray(nodes)) return;
  for (const node of nodes) console.log(`  ${Object.entries(node).flat().join(" ")}`);
}

export function addProcessCommands(program: Command): void {
  program
    .command("dev")
    .description("run a whole cluster on this machine, and break it by hand")
    .option("--nodes <n>", "how many nodes (default: as before, or 5)", wholeNumber(1, 9))
    .option(
      "--witnesses <n>",
      "how many witnesses besides, which vote and keep no messages (default: as before, or 0)",
      wholeNumber(0, 4),
    )
    .option("--data <folder>", "where messages, logs and addresses are kept", DATA_DEFAULT)
    .option(
      "--base-port <n>",
      "node n listens on base + n (default: 7400)",
      wholeNumber(1024, 64_000),
    )
    .option("--fresh", "erase what is there and begin anew", false)
    .option("--supervise", "start again every node that dies", false)
    .option("--demo", "fill it with people and conversations, to look around in", false)
    .action(async (flags: DevFlags) => {
      const { runDev } = await import("../dev/command.ts");
      process.exitCode = await runDev({
        nodes: flags.nodes,
        witnesses: flags.witnesses,
        data: flags.data,
        basePort: flags.basePort,
        fresh: flags.fresh,
        supervise: flags.supervise,
        demo: flags.demo,
      });
    });

  program
    .command("dev-control")
    .description(
      "kill, pause, resume, restart, cut-off (from the other nodes), isolate (from clients, too) or heal a node of a running `parley dev`",
    )
    .addArgument(new Argument("<action>").choices([...CONTROL_COMMANDS]))
    .argument("[node]", "the node's number", wholeNumber(1, 1_000_000))
    .option("--data <folder>", "the folder of that cluster", DATA_DEFAULT)
    .option("--json", "print JSON", false)
    .action(
      async (
        cmd: (typeof CONTROL_COMMANDS)[number],
        node: number | undefined,
        flags: { readonly data: string; readonly json: boolean },
      ) => {
        const { runDevControl } = await import("../dev/command.ts");
        const reply = await runDevControl(flags.data, node === undefined ? { cmd } : { cmd, node });
        showReply(reply, flags.json);
        if (!reply.ok) process.exitCode = 1;
      },
    );

  program
    .command("server")
    .description("run one node of a cluster")
    .requiredOption("--id <n>", "which node of the cluster this is", wholeNumber(1, 1_000_000))
    .option("--config <file>", "the YAML file that lists the nodes")
    .option(
      "--join <host:port,…>",
      "members of a cluster that this server joins (then `parley add-server` adds it)",
      addressList,
    )
    .option("--data <folder>", "where a server that joins keeps its data")
    .option("--witness", "join as a witness: vote, keep no messages, serve no clients", false)
    .option("--insecure", "listen beyond loopback without encryption", false)
    .action(
      async (flags: {
        readonly witness: boolean;
        readonly id: number;
        readonly config?: string;
        readonly join?: readonly string[];
        readonly data?: string;
        readonly insecure: boolean;
      }) => {
        const { runServer } = await import("../server/command.ts");
        await runServer(flags);
      },
    );
}
