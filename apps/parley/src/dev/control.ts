// The control socket of a dev cluster: one JSON object a line in, one a line out.
import { createHash } from "node:crypto";
import { existsSync, unlinkSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { LineSplitter } from "./line-splitter.ts";

/** What can be done to one node. */
export const NODE_COMMANDS = [
  "kill",
  "pause",
  "resume",
  "restart",
  "cut-off",
  "isolate",
  "heal",
] as const;
export type NodeCommand = (typeof NODE_COMMANDS)[number];

export const CONTROL_COMMANDS = [...NODE_COMMANDS, "status", "stop"] as const;

export const controlRequestSchema = z.strictObject({
  cmd: z.enum(CONTROL_COMMANDS),
  node: z.int().optional(),
});
export type ControlRequest = z.infer<typeof controlRequestSchema>;

export type ControlReply =
  | { readonly ok: true; readonly [field: string]: unknown }
  | { readonly ok: false; readonly error: string };

const replySchema = z.union([
  z.looseObject({ ok: z.literal(true) }),
  z.object({ ok: z.literal(false), error: z.string() }),
]);

/** The kernel takes no longer path for a socket (108 bytes on Linux, 104 elsewhere). */
const SOCKET_PATH_BYTES_MAX = 100;
const CONNECTIONS_MAX = 64;
const ANSWER_TIMEOUT_MS = 30_000;

/** DIR/control.sock, or one in the temporary folder when that path is too long for a socket. */
export function controlPath(folder: string): string {
  const path = join(resolve(folder), "control.sock");
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return path;
  const digest = createHash("sha256").update(path).digest("hex").slice(0, 16);
  return join(tmpdir(), `parley-${digest}.sock`);
}

/** Whether a supervisor answers at `path`. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

export class ControlServer {
  readonly #path: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(path: string, handle: (request: ControlRequest) => Promise<ControlReply>) {
    this.#path = path;
    // One that has said everything, as `nc -N` does, still gets its answers.
    const options = { allowHalfOpen: true };
    this.#server = createServer(options, (socket) => this.#serve(socket, handle));
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** False when another supervisor holds the folder; what a dead one left is taken over. */
  async listen(): Promise<boolean> {
    if (existsSync(this.#path)) {
      if (await isAlive(this.#path)) return false;
      unlinkSync(this.#path);
    }
    return await new Promise((resolve, reject) => {
      this.#server.once("error", (error) => {
        if ("code" in error && error.code === "EADDRINUSE") resolve(false);
        else reject(error);
      });
      this.#server.listen(this.#path, () => resolve(true));
    });
  }

  /** The socket's file goes with it. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(socket: Socket, handle: (request: ControlRequest) => Promise<ControlReply>): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => this.#sockets.delete(socket));
    let unanswered = 0;
    let hasEnded = false;
    const answer = (reply: ControlReply) => {
      unanswered -= 1;
      if (socket.writable) socket.write(`${JSON.stringify(reply)}\n`);
      if (hasEnded && unanswered === 0) socket.end();
    };
    const splitter = new LineSplitter((line) => {
      unanswered += 1;
      const parsed = controlRequestSchema.safeParse(parseJson(line));
      if (!parsed.success) {
        const error = `expected {"cmd": ${CONTROL_COMMANDS.join("|")}, "node": id}`;
        answer({ ok: false, error });
        return;
      }
      handle(parsed.data).then(answer, (cause: unknown) => {
        answer({ ok: false, error: cause instanceof Error ? cause.message : String(cause) });
      });
    });
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => splitter.push(text));
    // A last line may come without its end.
    socket.on("end", () => {
      splitter.end();
      hasEnded = true;
      if (unanswered === 0) socket.end();
    });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Asks the supervisor at `path`. Rejects with a sentence when there is none or it does not answer. */
export function askSupervisor(path: string, request: ControlRequest): Promise<ControlReply> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error("the dev cluster did not answer in time"));
    }, ANSWER_TIMEOUT_MS);
    const splitter = new LineSplitter((line) => {
      clearTimeout(timer);
      socket.destroy();
      const reply = replySchema.safeParse(parseJson(line));
      if (reply.success) resolve(reply.data as ControlReply);
      else reject(new Error("the dev cluster gave an answer that is not understood"));
    });
    socket.setEncoding("utf8");
    socket.once("connect", () => socket.write(`${JSON.stringify(request)}\n`));
    socket.on("data", (text: string) => splitter.push(text));
    socket.once("error", () => {
      clearTimeout(timer);
      reject(new Error("no dev cluster runs there; start one with `parley dev`"));
    });
    socket.once("close", () => {
      clearTimeout(timer);
      reject(new Error("the dev cluster hung up before it answered"));
    });
  });
}
