// A client that knows nothing of this project but its .proto files: stock gRPC and stock loader, field
// names as they stand in the files, enums by name, 64-bit numbers as numbers.
import { fileURLToPath } from "node:url";
import {
  type Client,
  credentials,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
  type ServiceError,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const PROTO_FOLDER = fileURLToPath(new URL("../../proto", import.meta.url));
const DEADLINE_MS = 20_000;

export type Fields = Readonly<Record<string, unknown>>;
type Reply = Record<string, unknown>;
type Method = (
  request: Fields,
  metadata: Metadata,
  options: { deadline: number },
  done: (error: ServiceError | null, reply: Reply) => void,
) => void;

/** A service of chat.proto or cluster.proto, loaded from disk. */
function serviceOf(name: "Chat" | "Cluster"): ServiceClientConstructor {
  const definition = loadSync(["parley/v1/chat.proto", "parley/v1/cluster.proto"], {
    includeDirs: [PROTO_FOLDER],
    keepCase: true,
    longs: Number,
    enums: String,
    defaults: true,
    oneofs: true,
  });
  const { parley } = loadPackageDefinition(definition) as unknown as {
    parley: { v1: Record<string, ServiceClientConstructor> };
  };
  const service = parley.v1[name];
  if (service === undefined) throw new Error(`parley.v1 has no ${name}`);
  return service;
}

export class Stranger {
  readonly #chat: Client;
  readonly #cluster: Client;
  /** Sent as `authorization: Bearer …` when it is set. */
  token = "";

  constructor(address: string, token = "") {
    this.#chat = new (serviceOf("Chat"))(address, credentials.createInsecure());
    this.#cluster = new (serviceOf("Cluster"))(address, credentials.createInsecure());
    this.token = token;
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    if (this.token !== "") metadata.set("authorization", `Bearer ${this.token}`);
    return metadata;
  }

  #unary(client: Client, method: string, request: Fields): Promise<Reply> {
    const call = (client as unknown as Record<string, Method>)[method];
    if (call === undefined) return Promise.reject(new Error(`there is no method ${method}`));
    return new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + DEADLINE_MS };
      call.call(client, request, this.#metadata(), options, (error, reply) => {
        if (error === null) resolve(reply);
        else reject(error);
      });
    });
  }

  /** A unary method of parley.v1.Chat. */
  chat(method: string, request: Fields = {}): Promise<Reply> {
    return this.#unary(this.#chat, method, request);
  }

  /** A unary method of parley.v1.Cluster. */
  cluster(method: string, request: Fields = {}): Promise<Reply> {
    return this.#unary(this.#cluster, method, request);
  }

  /** Subscribe, collecting. `ended` resolves with the error that ended it. */
  subscribe(request: Fields): {
    readonly events: Reply[];
    readonly ended: Promise<ServiceError>;
    cancel(): void;
  } {
    const call = (
      this.#chat as unknown as {
        Subscribe(
          request: Fields,
          metadata: Metadata,
        ): {
          on(event: "data", listener: (reply: Reply) => void): void;
          on(event: "error", listener: (error: ServiceError) => void): void;
          cancel(): void;
        };
      }
    ).Subscribe(request, this.#metadata());
    const events: Reply[] = [];
    call.on("data", (event) => events.push(event));
    const ended = new Promise<ServiceError>((resolve) => call.on("error", resolve));
    return { events, ended, cancel: () => call.cancel() };
  }

  close(): void {
    this.#chat.close();
    this.#cluster.close();
  }
}

/** The error of a call that must fail. */
export async function failureOf(call: Promise<unknown>): Promise<ServiceError> {
  return await call.then(
    (reply) => {
      throw new Error(`it succeeded: ${JSON.stringify(reply)}`);
    },
    (error: ServiceError) => error,
  );
}

export function reasonOf(error: ServiceError): string {
  return String(error.metadata?.get("parley-reason")[0] ?? "");
}
