// A line to one node that gives trouble on demand: it is cut, goes dead without a word, or brings what no node has said. It runs in the test
// itself, so that a test says when. A browser that is launched with `throughLines` reaches the node by this line only.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/**
 * `pass`: as it comes. `dead`: connections stay, and new ones are taken, but not a byte goes through. `random`: each WebSocket frame of the
 * node becomes one of random bytes. `truncated`: each lacks its end. `broken`: instead of frames come bytes that are none. `html`: whatever is
 * asked is answered with a page and status 200, as a hotel's network does. `refused`: no connection comes about, and those that there were have ended.
 */
export type Trouble = "pass" | "dead" | "random" | "truncated" | "broken" | "html" | "refused";

const PAGE = "<!doctype html><title>Welcome</title><p>Room number, please.";
const HTML = `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${PAGE.length}\r\nConnection: close\r\n\r\n${PAGE}`;
const BINARY = 0x82;
const RANDOM_BYTES_MAX = 100;

export class TroubledLine {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #random: (bound: number) => number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #trouble: Trouble = "pass";
  #cutting: ReturnType<typeof setInterval> | undefined;
  #cuts = 0;
  #spoilt = 0;

  private constructor(address: string, random: (bound: number) => number) {
    const { hostname: host, port } = new URL(`http://${address}`);
    this.#target = { host, port: Number(port) };
    this.#random = random;
    this.#server = createServer((socket) => this.#take(socket));
  }

  /** `address`: `host:port` of the node. `random`: 0 … bound - 1, see seeded-random.ts. */
  static async open(address: string, random: (bound: number) => number): Promise<TroubledLine> {
    const line = new TroubledLine(address, random);
    line.#server.listen({ host: "127.0.0.1", port: 0 });
    await once(line.#server, "listening");
    return line;
  }

  /** The rule by which a Chromium goes over this line. */
  get rule(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `MAP ${this.#target.host}:${this.#target.port} 127.0.0.1:${port}`;
  }

  /** Connections with a WebSocket on them that were cut. */
  get cuts(): number {
    return this.#cuts;
  }

  /** Answers that were spoilt. */
  get spoilt(): number {
    return this.#spoilt;
  }

  /** From now on. What is connected stays so and gets the same, but for `html` and `refused`, which nobody gets in the middle of something. */
  set trouble(trouble: Trouble) {
    this.#trouble = trouble;
    if (trouble === "html" || trouble === "refused") this.cut();
  }

  /** Ends every connection, now. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Again and again; undefined = no longer. */
  cutEvery(ms: number | undefined): void {
    clearInterval(this.#cutting);
    this.#cutting = ms === undefined ? undefined : setInterval(() => this.cut(), ms);
  }

  async close(): Promise<void> {
    this.cutEvery(undefined);
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #take(incoming: Socket): void {
    if (this.#trouble === "refused") {
      incoming.destroy();
      return;
    }
    const outgoing = connect(this.#target);
    this.#sockets.add(incoming);
    let isWebSocket = false;
    const end = () => {
      if (this.#sockets.delete(incoming) && isWebSocket) this.#cuts += 1;
      incoming.destroy();
      outgoing.destroy();
    };
    for (const socket of [incoming, outgoing]) socket.on("close", end).on("error", end);
    incoming.on("data", (bytes: Buffer) => {
      if (this.#trouble === "html") {
        this.#spoilt += 1;
        incoming.end(HTML);
      } else if (this.#trouble !== "dead") outgoing.write(bytes);
    });
    outgoing.on("data", (bytes: Buffer) => {
      if (isWebSocket) this.#answer(incoming, bytes);
      else if (this.#trouble !== "dead") incoming.write(bytes);
      isWebSocket ||= bytes.subarray(0, 12).toString("latin1") === "HTTP/1.1 101";
    });
  }

  /** What a node says over a WebSocket. */
  #answer(socket: Socket, bytes: Buffer): void {
    const trouble = this.#trouble;
    if (trouble === "pass") socket.write(bytes);
    if (trouble !== "random" && trouble !== "truncated" && trouble !== "broken") return;
    this.#spoilt += 1;
    const length = 1 + this.#random(RANDOM_BYTES_MAX);
    const random = Uint8Array.from({ length }, () => this.#random(256));
    if (trouble === "broken") socket.write(random);
    else socket.write(frameOf(trouble === "random" ? random : withoutEnd(bytes)));
  }
}

/** The arguments of a Chromium that goes over these lines. */
export function throughLines(lines: readonly TroubledLine[]): readonly string[] {
  return [`--host-resolver-rules=${lines.map(({ rule }) => rule).join(",")}`];
}

/** A short binary frame, as a server sends it (RFC 6455, 5.2). */
function frameOf(payload: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(BINARY, payload.length), payload]);
}

/** The beginning of the first frame's contents. */
function withoutEnd(bytes: Buffer): Uint8Array {
  const length = (bytes[1] ?? 0) & 0x7f;
  const from = length === 127 ? 10 : length === 126 ? 4 : 2;
  return bytes.subarray(from, from + Math.min(RANDOM_BYTES_MAX, Math.max(1, length - 1)));
}
