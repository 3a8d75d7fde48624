// A slow link: passes on what comes to `host:port`, each way so many milliseconds later.
// node forwarder.ts LISTEN_HOST PORT TARGET_HOST DELAY_MS
import { connect, createServer, type Socket } from "node:net";

const [listenHost = "", port = "", targetHost = "", delayMs = ""] = process.argv.slice(2);

function pass(from: Socket, to: Socket): void {
  const later = (action: () => void) => setTimeout(action, Number(delayMs));
  from.on("data", (bytes) => later(() => to.write(bytes)));
  from.on("end", () => later(() => to.end()));
  from.on("close", () => later(() => to.destroy()));
  from.on("error", () => later(() => to.destroy()));
}

createServer((incoming) => {
  const outgoing = connect({ host: targetHost, port: Number(port) });
  pass(incoming, outgoing);
  pass(outgoing, incoming);
}).listen({ host: listenHost, port: Number(port) });
