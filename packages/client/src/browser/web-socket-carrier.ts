// Frames over a WebSocket at `/session`: one binary message is one encoded frame, the same frames as
// on the gRPC stream. The token travels in the hello, never in the address (GUI design, "Origins").
import type { NodeAddress } from "@parley/protocol";
import type { Carrier, CarrierEvents, CarrierLink, LinkEnd } from "../ports.ts";

/** Where a node serves the session, below its origin. */
export const SESSION_PATH = "/session";

/** What the carrier uses of a WebSocket; that of browsers and of Node. */
export type OpenWebSocket = (url: string) => WebSocket;

export interface WebSocketCarrierOptions {
  /** Nodes are reached over TLS; by default when the page was. */
  readonly secure?: boolean | undefined;
  readonly open?: OpenWebSocket | undefined;
}

/** A carrier whose addresses are the nodes' origins, such as `https://one.example:8443`. */
export function webSocketCarrier(options: WebSocketCarrierOptions = {}): Carrier {
  const secure = options.secure ?? globalThis.location?.protocol === "https:";
  const open = options.open ?? ((url) => new WebSocket(url));
  return {
    addressOf: (node) => originOf(node, secure),
    dial: (address, events) => new WebSocketLink(address, open, events),
  };
}

/** The origin at which a browser finds the node, its public URL if it has one; undefined when it serves no HTTP. */
export function originOf(node: NodeAddress, secure: boolean): string | undefined {
  if (node.httpAddress === "") return undefined;
  if (node.httpAddress.includes("://")) return node.httpAddress;
  return `${secure ? "https" : "http"}://${node.httpAddress}`;
}

/** `http://host:port` becomes `ws://host:port/session`. Throws on what is no address. */
export function sessionUrl(origin: string): string {
  const url = new URL(SESSION_PATH, origin);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

class WebSocketLink implements CarrierLink {
  readonly #events: CarrierEvents;
  readonly #socket: WebSocket | undefined;
  /** Frames from before the socket was open; it refuses them until then. */
  #early: Uint8Array<ArrayBuffer>[] = [];
  #opened = false;
  #ended = false;

  constructor(address: string, open: OpenWebSocket, events: CarrierEvents) {
    this.#events = events;
    try {
      this.#socket = open(sessionUrl(address));
    } catch (cause) {
      // An address that can't be one, or one that the page's policy forbids: no event before `dial`
      // has returned.
      queueMicrotask(() => this.#end("refused", String(cause)));
      return;
    }
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => this.#onOpen();
    this.#socket.onmessage = ({ data }: MessageEvent<unknown>) => this.#onMessage(data);
    this.#socket.onclose = ({ code, reason }) => this.#onClose(code, reason);
  }

  send(frame: Uint8Array): void {
    if (this.#ended) return;
    const bytes = frame as Uint8Array<ArrayBuffer>;
    if (this.#opened) this.#socket?.send(bytes);
    else this.#early.push(bytes);
  }

  close(): void {
    this.#ended = true;
    this.#release();
  }

  #onOpen(): void {
    if (this.#ended) return;
    this.#opened = true;
    for (const frame of this.#early) this.#socket?.send(frame);
    this.#early = [];
    this.#events.onOpen();
  }

  #onMessage(data: unknown): void {
    if (this.#ended) return;
    if (data instanceof ArrayBuffer) this.#events.onFrame(new Uint8Array(data));
    else this.#end("malformed", "a text message where a binary frame was due");
  }

  #onClose(code: number, reason: string): void {
    // A browser says no more of a dial that failed, so as not to tell pages what listens where.
    if (!this.#opened) this.#end("refused", "no connection");
    else this.#end(endOf(code), reason === "" ? `code ${code}` : reason);
  }

  #end(end: LinkEnd, detail: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#release();
    this.#events.onEnd(end, detail);
  }

  #release(): void {
    this.#early = [];
    // On a dead network the closing handshake takes its time; nothing waits for it.
    this.#socket?.close();
  }
}

/** Close codes of RFC 6455, 7.4.1. */
function endOf(code: number): LinkEnd {
  switch (code) {
    case 1002: // protocol error
    case 1003: // unacceptable type
    case 1007: // not valid UTF-8
    case 1009: // too big
      return "malformed";
    default:
      return "closed";
  }
}
