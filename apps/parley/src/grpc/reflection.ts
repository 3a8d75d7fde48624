// Server reflection (v1 and v1alpha), so that any gRPC tool can use the server without its .proto
// files. The descriptors come from proto/ itself.
import { fileURLToPath } from "node:url";
import type { Server, ServerDuplexStream } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { HEALTH_PROTO } from "./health.ts";

const PROTO_FOLDER = fileURLToPath(new URL("../../../../proto", import.meta.url));
const FILES = ["chat", "cluster", "raft"].map((name) => `parley/v1/${name}.proto`);

type ReflectionCall = ServerDuplexStream<unknown, unknown>;

/**
 * Who asks faster than it reads the answers is read no further until it has caught up: the library
 * alone would queue without a bound (P11).
 */
function bounded(server: Server): Server {
  const addService: Server["addService"] = (service, implementation) => {
    const wrapped = Object.entries(implementation).map(([name, handler]) => {
      const paced = (call: ReflectionCall) => {
        (handler as (call: ReflectionCall) => void)(call);
        call.on("data", () => {
          if (call.writableNeedDrain) call.pause();
        });
        call.on("drain", () => call.resume());
      };
      return [name, paced];
    });
    server.addService(service, Object.fromEntries(wrapped));
  };
  return Object.assign(Object.create(server), { addService });
}

export function addReflection(server: Server): void {
  const definition = loadSync([...FILES, HEALTH_PROTO], {
    includeDirs: [PROTO_FOLDER],
    keepCase: true,
  });
  const services = [
    "parley.v1.Chat",
    "parley.v1.Cluster",
    "parley.v1.Raft",
    "grpc.health.v1.Health",
  ];
  new ReflectionService(definition, { services }).addToServer(bounded(server));
}
