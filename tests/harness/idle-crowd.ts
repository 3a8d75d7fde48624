// A process of its own that holds many idle connections to one node: it has its own limit of open
// files. Arguments: port, count. Prints `open N` when N stand, `left N` at the end of its input.
import { connect, type Socket } from "node:net";

const [port, count] = process.argv.slice(2).map(Number);
if (port === undefined || count === undefined) throw new Error("usage: idle-crowd PORT COUNT");

const AT_ONCE = 200;
/** The preface and an empty SETTINGS frame (RFC 9113, section 3.4): a client that says nothing more. */
const GREETING = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1"),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

/** Resolves when the node has answered with its own SETTINGS: the connection is served. */
function open(): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port: port as number });
    socket.on("error", () => resolve(undefined));
    socket.once("close", () => resolve(undefined));
    socket.once("data", () => resolve(socket));
    socket.write(GREETING);
  });
}

const sockets: Socket[] = [];
for (let at = 0; at < count; at += AT_ONCE) {
  const batch = await Promise.all(
    Array.from({ length: Math.min(AT_ONCE, count - at) }, () => open()),
  );
  for (const socket of batch) if (socket !== undefined) sockets.push(socket);
}
const standing = () => sockets.filter((socket) => !socket.destroyed).length;
process.stdout.write(`open ${standing()}\n`);
process.stdin.resume();
process.stdin.once("end", () => {
  process.stdout.write(`left ${standing()}\n`, () => process.exit(0));
});
