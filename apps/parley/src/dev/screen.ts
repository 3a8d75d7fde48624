// What `parley dev` prints: prefixed lines, the summary, the help.
import { relative } from "node:path";
import pc from "picocolors";
import type { ClusterConfig } from "../config/load.ts";

const COLOURS = [pc.cyan, pc.magenta, pc.yellow, pc.blue, pc.green] as const;

function clockTime(): string {
  return new Date().toTimeString().slice(0, 8);
}

export class Screen {
  readonly #write: (text: string) => void;

  constructor(write: (text: string) => void = (text) => process.stdout.write(text)) {
    this.#write = write;
  }

  line(text: string): void {
    this.#write(`${text}\n`);
  }

  lines(texts: readonly string[]): void {
    for (const text of texts) this.line(text);
  }

  /** A line about one node. */
  node(id: number, text: string): void {
    const colour = COLOURS[(id - 1) % COLOURS.length] ?? pc.white;
    this.line(`${pc.dim(clockTime())} ${colour(`n${id}`.padEnd(3))} ${text}`);
  }

  /** A line about the whole. */
  note(text: string): void {
    this.line(`${pc.dim(clockTime())} ${pc.dim("dev")} ${text}`);
  }
}

export function helpLines(nodeCount: number): readonly string[] {
  const last = Math.min(9, nodeCount);
  return [
    `${pc.bold("Keys")}   1–${last} choose a node, then:`,
    `  ${pc.bold("k")} kill -9   ${pc.bold("p")} pause / resume   ${pc.bold("c")} cut off / heal   ${pc.bold("r")} restart   ` +
      `${pc.bold("s")} status   ${pc.bold("h")} help   ${pc.bold("q")} stop all`,
  ];
}

/** A folder as a person would name it from here. */
export function shownFolder(folder: string): string {
  const path = relative(process.cwd(), folder);
  if (path === "") return ".";
  return path.startsWith("..") ? folder : path;
}

export interface SummaryOf {
  readonly config: ClusterConfig;
  readonly folder: string;
  /** Keys are listened to. */
  readonly isInteractive: boolean;
  /** The link of the chaos panel. */
  readonly panel: string;
}

/** Shown once the cluster serves. */
export function summaryLines(summary: SummaryOf): readonly string[] {
  const { config, folder, isInteractive, panel } = summary;
  const count = config.nodes.length;
  const witnesses = config.nodes.filter(({ isWitness }) => isWitness).length;
  const dataNodes = count - witnesses;
  const tolerated = Math.floor((count - 1) / 2);
  const scheme = config.tls === undefined ? "http" : "https";
  const nodes = config.nodes.map((node) => {
    const gRPC = node.address.padEnd(18);
    const role = node.isWitness ? "   witness: votes, keeps no messages" : "";
    return `  n${node.id}  gRPC ${gRPC} HTTP ${scheme}://${node.httpAddress}${role}`;
  });
  const where = shownFolder(folder);
  const survive =
    tolerated === 0
      ? "One node: nothing may die. Try --nodes 3."
      : witnesses > 0 && tolerated < dataNodes
        ? `Any ${tolerated} of the ${dataNodes} data nodes may die, also at once; the witnesses help the one that is left, and the chat goes on.`
        : `Any ${tolerated} of the ${count} nodes may die, the leader too; the chat goes on.`;
  const isDefault = where === ".parley";
  const serving = config.nodes.filter(({ isWitness }) => !isWitness);
  const servers = serving.map((node) => node.address).join(",");
  const chat = isDefault ? "npx parley chat" : `npx parley chat --server ${servers}`;
  const status = isDefault ? "npx parley status" : `npx parley status --server ${servers}`;
  const kill = isDefault
    ? "npx parley dev-control kill 3"
    : `npx parley dev-control --data ${where} kill 3`;
  return [
    "",
    pc.bold("Parley is up."),
    ...nodes,
    `  Data, logs and addresses (cluster.json): ${where}/`,
    "",
    pc.bold("Next"),
    `  browser   ${pc.cyan(`${scheme}://${serving[0]?.httpAddress ?? ""}`)}   or any other HTTP address above`,
    `  terminal  ${pc.cyan(chat)}   in other terminals, as many as you like`,
    `  look      ${pc.cyan(status)}`,
    `  break it  ${pc.cyan(panel)}   a page to kill, pause, cut off and restart nodes, with a checker that counts`,
    `            ${pc.cyan(kill)}${isInteractive ? "   or with the keys below" : ""}`,
    `  ${survive}`,
    ...(isInteractive ? ["", ...helpLines(count)] : []),
    "",
  ];
}
