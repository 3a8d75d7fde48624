// What `parley dev` starts for each node: `parley server`, with a network that the supervisor can take away from it. Its own process and the same
// code otherwise; only the supervisor's channel reaches the switch.
import diagnostics from "node:diagnostics_channel";
import { enableCompileCache } from "node:module";
import type { Socket } from "node:net";
import { parseArgs } from "node:util";
import { CUTS, CutOff } from "./cut-off.ts";

/** All connections to this process. While they are cut each is reset, and so is each new one. */
class Connections {
  readonly #open = new Set<Socket>();
  #isCut = false;

  constructor() {
    diagnostics.subscribe("net.server.socket", (message) => {
      const { socket } = message as { readonly socket: Socket };
      if (this.#isCut) {
        socket.destroy();
        return;
      }
      this.#open.add(socket);
      socket.once("close", () => this.#open.delete(socket));
    });
  }

  cut(isCut: boolean): void {
    this.#isCut = isCut;
    if (isCut) for (const socket of this.#open) socket.destroy();
  }
}

const { values } = parseArgs({
  allowPositionals: true,
  options: { id: { type: "string" }, config: { type: "string" } },
});
let network: CutOff | undefined;
const connections = new Connections();
process.on("message", (message: { readonly cut?: unknown } | null) => {
  const cut = CUTS.find((one) => one === message?.cut);
  if (cut === undefined) return;
  if (cut === "none") network?.heal();
  else network?.cut();
  connections.cut(cut === "all");
});
enableCompileCache();
const { runServer } = await import("../server/command.ts");
await runServer(
  { id: Number(values.id), config: values.config ?? "", insecure: false, witness: false },
  (own) => {
    network = new CutOff(own);
    return network;
  },
);
