// Service definitions whose messages stay bytes: the node decodes what it needs, and the frames that
// it encoded once go to many streams as they are.
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";

function asBuffer(bytes: Uint8Array): Buffer {
  if (Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export type RawMethod = MethodDefinition<Uint8Array, Uint8Array>;

/** The same paths and streaming kinds as `service`, with bytes in and out. */
export function rawService(service: ServiceDefinition): Record<string, RawMethod> {
  const methods: Record<string, RawMethod> = {};
  for (const [name, method] of Object.entries(service)) {
    methods[name] = {
      path: method.path,
      requestStream: method.requestStream,
      responseStream: method.responseStream,
      requestSerialize: asBuffer,
      requestDeserialize: (bytes) => bytes,
      responseSerialize: asBuffer,
      responseDeserialize: (bytes) => bytes,
    };
  }
  return methods;
}
