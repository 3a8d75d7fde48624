// gRPC by hand over HTTP/2: whatever bytes, headers and lengths a broken or hostile client could send,
// and what comes back as it stands on the wire.
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";

/** How a call ended. */
export interface RawEnd {
  readonly httpStatus: number;
  /** `grpc-status`; -1 = the stream ended without one. */
  readonly code: number;
  /** `parley-reason`; "" = none. */
  readonly reason: string;
  readonly message: string;
  readonly retryAfterMs: number;
}

export interface RawReply extends RawEnd {
  readonly messages: readonly Buffer[];
}

const HEADER_BYTES = 5;
/** No call of these tests takes so long; a node that is silent for it has failed. */
const CALL_MS_MAX = 45_000;

/** The bytes of one gRPC message: a flag, the length, the message. */
export function framed(message: Uint8Array, claimedLength = message.length, flag = 0): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header[0] = flag;
  header.writeUInt32BE(claimedLength, 1);
  return Buffer.concat([header, message]);
}

export class RawStream {
  readonly messages: Buffer[] = [];
  readonly stream: ClientHttp2Stream;
  /** Resolves when the stream has ended, however it did. */
  readonly ended: Promise<RawEnd>;
  #headers: Readonly<Record<string, unknown>> = {};
  #trailers: Readonly<Record<string, unknown>> = {};
  #held: Buffer = Buffer.alloc(0);

  constructor(stream: ClientHttp2Stream) {
    this.stream = stream;
    stream.on("response", (headers) => {
      this.#headers = headers;
    });
    stream.on("trailers", (headers) => {
      this.#trailers = headers;
    });
    stream.on("data", (bytes: Buffer) => this.#take(bytes));
    // The node has said its last word; as every client, this one hangs up then.
    stream.once("end", () => {
      if (!stream.destroyed) stream.end();
    });
    const timer = setTimeout(() => stream.destroy(), CALL_MS_MAX);
    const done = Promise.withResolvers<RawEnd>();
    this.ended = done.promise;
    // A reset is an end like others here.
    stream.on("error", () => {});
    stream.once("close", () => {
      clearTimeout(timer);
      done.resolve(this.#end());
    });
  }

  /** Sends one message. */
  send(message: Uint8Array): void {
    this.write(framed(message));
  }

  /** Sends bytes as they are. */
  write(bytes: Uint8Array): void {
    if (!this.stream.destroyed) this.stream.write(bytes);
  }

  #take(bytes: Buffer): void {
    this.#held = Buffer.concat([this.#held, bytes]);
    while (this.#held.length >= HEADER_BYTES) {
      const length = this.#held.readUInt32BE(1);
      if (this.#held.length < HEADER_BYTES + length) return;
      this.messages.push(this.#held.subarray(HEADER_BYTES, HEADER_BYTES + length));
      this.#held = this.#held.subarray(HEADER_BYTES + length);
    }
  }

  #end(): RawEnd {
    const all = { ...this.#headers, ...this.#trailers };
    const code = all["grpc-status"];
    return {
      httpStatus: Number(this.#headers[":status"] ?? 0),
      code: code === undefined ? -1 : Number(code),
      reason: String(all["parley-reason"] ?? ""),
      message: decodeURIComponent(String(all["grpc-message"] ?? "")),
      retryAfterMs: Number(all["parley-retry-after-ms"] ?? 0),
    };
  }
}

export interface RawCallOptions {
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One HTTP/2 connection to one node. */
export class RawGrpc {
  readonly session: ClientHttp2Session;

  constructor(address: string) {
    this.session = connect(`http://${address}`);
    this.session.on("error", () => {});
  }

  /** `path` as in `parley.v1.Chat/Send`. */
  open(path: string, options: RawCallOptions = {}): RawStream {
    const { token, headers } = options;
    const stream = this.session.request({
      ":method": "POST",
      ":path": `/${path}`,
      "content-type": "application/grpc",
      te: "trailers",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    });
    return new RawStream(stream);
  }

  /** Bytes that are already framed, or are no frame at all. */
  async callBytes(path: string, bytes: Uint8Array, options?: RawCallOptions): Promise<RawReply> {
    const call = this.open(path, options);
    call.stream.end(bytes);
    const end = await call.ended;
    return { ...end, messages: call.messages };
  }

  call(path: string, message: Uint8Array, options?: RawCallOptions): Promise<RawReply> {
    return this.callBytes(path, framed(message), options);
  }

  async close(): Promise<void> {
    if (this.session.destroyed) return;
    const closed = once(this.session, "close");
    this.session.destroy();
    await closed;
  }
}
