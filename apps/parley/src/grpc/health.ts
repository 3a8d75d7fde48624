// grpc.health.v1.Health: SERVING while the node can serve requests.
import type { EventEmitter } from "node:events";
import { fileURLToPath } from "node:url";
import {
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

export const HEALTH_PROTO = fileURLToPath(new URL("health.proto", import.meta.url));

/** The services that are asked for by name; the empty name is the whole server. */
const SERVICES: ReadonlySet<string> = new Set(["", "parley.v1.Chat", "parley.v1.Cluster"]);
const WATCHERS_MAX = 1_024;

interface Request {
  readonly service: string;
}
interface Response {
  readonly status: "SERVING" | "NOT_SERVING" | "SERVICE_UNKNOWN";
}
type WatchCall = ServerWritableStream<Request, Response>;

export class Health {
  readonly #watchers = new Set<WatchCall>();
  #serving = false;
  #servesChat = true;

  addTo(server: Server): void {
    const definition = loadSync(HEALTH_PROTO, { enums: String, defaults: true });
    server.addService(definition["grpc.health.v1.Health"] as ServiceDefinition, {
      check: (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>) => {
        if (SERVICES.has(call.request.service)) callback(null, this.#response(call.request));
        else callback({ code: status.NOT_FOUND, details: "no such service is served here" });
      },
      watch: (call: WatchCall) => this.#watch(call),
    });
  }

  /** Watchers are told when it changes. `servesChat`: a witness does not. */
  set(serving: boolean, servesChat = true): void {
    if (serving === this.#serving) return;
    this.#serving = serving;
    this.#servesChat = servesChat;
    for (const call of this.#watchers) call.write(this.#response(call.request));
  }

  #response({ service }: Request): Response {
    const serves = this.#serving && (this.#servesChat || service !== "parley.v1.Chat");
    return { status: serves ? "SERVING" : "NOT_SERVING" };
  }

  #watch(call: WatchCall): void {
    if (!SERVICES.has(call.request.service)) {
      // It stays open: the service might come, says the protocol. Here none does.
      call.write({ status: "SERVICE_UNKNOWN" });
      return;
    }
    if (this.#watchers.size >= WATCHERS_MAX) {
      const refusal = { code: status.RESOURCE_EXHAUSTED, details: "too many watchers" };
      call.emit("error", Object.assign(new Error(refusal.details), refusal));
      return;
    }
    if (call.cancelled) return;
    this.#watchers.add(call);
    (call as EventEmitter).once("cancelled", () => this.#watchers.delete(call));
    call.write(this.#response(call.request));
  }
}
