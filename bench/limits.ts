// What this machine can do at best, measured in the same run: a claim is a ratio to one of these.
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  credentials,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  type ServiceDefinition,
} from "@grpc/grpc-js";

/** Appends of 4 KiB with fdatasync, one after the other, per second. */
export function syncsPerSecond(seconds: number): number {
  const dir = mkdtempSync(join(tmpdir(), "parley-limit-"));
  const file = openSync(join(dir, "append"), "w");
  const block = Buffer.alloc(4096, 1);
  const began = performance.now();
  let count = 0;
  while (performance.now() - began < seconds * 1_000) {
    writeSync(file, block);
    fdatasyncSync(file);
    count += 1;
  }
  const perSecond = count / ((performance.now() - began) / 1_000);
  closeSync(file);
  rmSync(dir, { recursive: true });
  return perSecond;
}

const raw = (value: Buffer) => value;
const ECHO = {
  echo: {
    path: "/limit.Echo/Echo",
    requestStream: true,
    responseStream: true,
    requestSerialize: raw,
    requestDeserialize: raw,
    responseSerialize: raw,
    responseDeserialize: raw,
  },
} satisfies ServiceDefinition;

/**
 * Round trips per second of 200 bytes over gRPC streams in one process, `clients` streams with one
 * message in flight each: no disk, no consensus, no protobuf.
 */
export async function grpcEchoesPerSecond(clients: number, seconds: number): Promise<number> {
  const server = new Server();
  server.addService(ECHO, {
    echo: (call: import("@grpc/grpc-js").ServerDuplexStream<Buffer, Buffer>) => {
      call.on("data", (chunk) => call.write(chunk));
      call.on("end", () => call.end());
      call.on("error", () => {});
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  const Client = makeGenericClientConstructor(ECHO, "Echo");
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const message = Buffer.alloc(200, 1);
  let count = 0;
  let running = true;
  const streams = Array.from({ length: clients }, () => {
    const stream = client.makeBidiStreamRequest("/limit.Echo/Echo", raw, raw);
    stream.on("data", () => {
      count += 1;
      if (running) stream.write(message);
    });
    stream.on("error", () => {});
    stream.write(message);
    return stream;
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  count = 0;
  const began = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  const perSecond = count / ((performance.now() - began) / 1_000);
  running = false;
  for (const stream of streams) stream.end();
  client.close();
  server.forceShutdown();
  return perSecond;
}
