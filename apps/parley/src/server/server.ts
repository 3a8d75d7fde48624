// `parley server`: one node with its real clock, disks and sockets.
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { Node } from "@parley/node";
import { SqliteChatStore, SqliteLogStore } from "@parley/store";
import { formatAddress, isLoopback, parseAddress } from "../config/addresses.ts";
import { type ClusterConfig, defaultHttpPort, type ServerNode } from "../config/load.ts";
import { GrpcServer } from "../grpc/grpc-server.ts";
import { GrpcPeerTransport } from "../grpc/peer-transport.ts";
import { HttpServer, type Readiness } from "../http/http-server.ts";
import { systemClock } from "../platform/clock.ts";
import type { ProcessLogger } from "../platform/logger.ts";
import { createPasswordHasher } from "../platform/password.ts";
import { sha256, systemRandom } from "../platform/random.ts";
import { connectionsWithinLimit } from "./fd-limit.ts";
import { logRoleChanges } from "./role-log.ts";

/** The address is taken or is not this machine's. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

export interface ServerOptions {
  readonly config: ClusterConfig;
  readonly self: ServerNode;
  readonly logger: ProcessLogger;
  /** The node cannot go on; called at most once. The process must end. */
  readonly onFatal: (error: unknown) => void;
}

type Phase = "starting" | "serving" | "stopping";

export class ParleyServer {
  readonly #options: ServerOptions;
  readonly #node: Node;
  readonly #grpc: GrpcServer;
  readonly #http: HttpServer;
  #phase: Phase = "starting";
  /** Empty until a server that joins was told. */
  #listenHost: string;

  constructor(options: ServerOptions) {
    const { config, self, logger } = options;
    this.#options = options;
    const transport = new GrpcPeerTransport();
    const logStore = new SqliteLogStore(self.dbPath);
    const isOpen = () => !isLoopback(this.#listenHost);
    this.#listenHost = self.listenHost;
    this.#node = new Node(
      {
        nodeId: self.id,
        nodes: config.nodes,
        join: config.join,
        tuning: config.tuning,
        // Asked when the node begins to serve: by then it knows where it listens.
        get statusRequiresLogin() {
          return isOpen();
        },
      },
      {
        clock: systemClock,
        random: systemRandom,
        logStore,
        chatStore: new SqliteChatStore({ dbPath: self.dbPath, owner: logStore, logger }),
        transport,
        hasher: createPasswordHasher(),
        sha256,
        logger,
        listen: (address) => this.#listenWhereTold(address),
        onFatal: options.onFatal,
      },
    );
    this.#grpc = new GrpcServer({
      services: () => (this.#phase === "starting" ? undefined : this.#node.services),
      transport,
      clock: systemClock,
      logger,
      connectionsMax: connectionsWithinLimit(config.connectionsMax),
    });
    this.#http = new HttpServer(() => this.#readiness());
  }

  /**
   * Listens, and resolves when the node belongs to its cluster and serves. Rejects with a ListenError, or with what kept the
   * node from starting.
   */
  async start(): Promise<void> {
    const { self, logger } = this.#options;
    mkdirSync(dirname(self.dbPath), { recursive: true });
    // The port comes first: a second process on the same files stops here, before it opens them. (A server that
    // joins is told its port later; there the lock on the files has to do.)
    if (self.port !== 0) {
      await this.#listen("gRPC", self.listenHost, self.port, () =>
        this.#grpc.listen(self.listenHost, self.port),
      );
      if (self.httpPort !== 0) {
        await this.#listen("HTTP", self.listenHost, self.httpPort, () =>
          this.#http.listen(self.listenHost, self.httpPort),
        );
      }
      logger.info({ grpc: self.address, http: self.httpAddress, dbPath: self.dbPath }, "listening");
    } else {
      const { join } = this.#options.config;
      logger.info({ join, dbPath: self.dbPath }, `asking ${join.join(", ")} where to listen`);
    }
    await this.#node.start();
    if (this.#isStopping()) return;
    this.#phase = "serving";
    this.#grpc.health.set(true);
    const replica = this.#node.replica;
    if (replica !== undefined) logRoleChanges(replica, self.id, logger);
    logger.info({ event: "serving" }, "serving");
  }

  /** Hands leadership over, drains, flushes, closes; at most a little more than `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    if (this.#isStopping()) return;
    this.#phase = "stopping";
    this.#grpc.health.set(false);
    this.#options.logger.info({ event: "stopping" }, "stopping");
    try {
      await this.#node.stop({ graceMs });
    } finally {
      this.#grpc.close();
      this.#http.close();
    }
  }

  #isStopping(): boolean {
    return this.#phase === "stopping";
  }

  /** The cluster says where this server is to be reached. Rejects when it can't be there, or must not (P10). */
  async #listenWhereTold(address: string): Promise<string> {
    const { config, self, logger } = this.#options;
    if (self.port !== 0) return self.httpAddress;
    const place = parseAddress(address);
    if (place === undefined) throw new ListenError(`${address} is not host:port`);
    const { host, port } = place;
    if (!isLoopback(host) && !config.insecure) {
      throw new ListenError(
        `${host} can be reached from other machines, and the connections are neither encrypted nor authenticated; ` +
          "accept that with `--insecure`, or add this server under a loopback address",
      );
    }
    await this.#listen("gRPC", host, port, () => this.#grpc.listen(host, port));
    this.#listenHost = host;
    const httpPort = defaultHttpPort(port);
    let httpAddress = formatAddress({ host, port: httpPort });
    try {
      await this.#http.listen(host, httpPort);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      logger.warn({ http: httpAddress }, `no HTTP: ${why}`);
      httpAddress = "";
    }
    logger.info({ grpc: address, http: httpAddress, dbPath: self.dbPath }, "listening");
    return httpAddress;
  }

  async #listen(what: string, host: string, port: number, listen: () => Promise<unknown>) {
    try {
      await listen();
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ListenError(`cannot listen for ${what} on ${host}:${port} (${why})`);
    }
  }

  #readiness(): Readiness {
    const ready = this.#phase === "serving";
    const view = this.#node.replica?.view();
    return {
      ready,
      detail: {
        phase: this.#phase,
        node_id: this.#options.self.id,
        leader_id: view?.leaderId ?? 0,
        has_quorum: view?.hasQuorum ?? false,
        stale_ms: view?.staleMs ?? 0,
        revision: this.#node.replica?.appliedRevision ?? 0,
        connections: this.#grpc.connectionCount,
      },
    };
  }
}
