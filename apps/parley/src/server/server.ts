// `parley server`: one node with its real clock, disks and sockets.
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { Node } from "@parley/node";
import { SqliteChatStore, SqliteLogStore } from "@parley/store";
import { isLoopback } from "../config/addresses.ts";
import type { ClusterConfig, ServerNode } from "../config/load.ts";
import { GrpcServer } from "../grpc/grpc-server.ts";
import { GrpcPeerTransport } from "../grpc/peer-transport.ts";
import { HttpServer, type Readiness } from "../http/http-server.ts";
import { Metrics } from "../metrics/metrics.ts";
import { systemClock } from "../platform/clock.ts";
import type { ProcessLogger } from "../platform/logger.ts";
import { createPasswordHasher } from "../platform/password.ts";
import { sha256, systemRandom } from "../platform/random.ts";
import { NodeTls } from "../tls/node-tls.ts";
import { connectionsWithinLimit } from "./fd-limit.ts";
import { announceSetup, reachesBeyondLoopback, setupTokenFor } from "./first-owner.ts";
import { logRoleChanges } from "./role-log.ts";
import { operatorTokenHash, type SetupToken } from "./secrets.ts";

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
  readonly #tls: NodeTls | undefined;
  readonly #setupToken: SetupToken | undefined;
  readonly #grpc: GrpcServer;
  readonly #http: HttpServer;
  readonly #metrics: Metrics;
  #phase: Phase = "starting";

  /** Throws a CertificateError or SecretError when the node's certificates or tokens cannot be used. */
  constructor(options: ServerOptions) {
    const { config, self, logger } = options;
    this.#options = options;
    const owner = { nodeId: self.id, host: self.host };
    this.#tls =
      config.tls === undefined
        ? undefined
        : new NodeTls(config.tls.filesOf(self.id), owner, logger);
    const tls = this.#tls;
    mkdirSync(dirname(self.dbPath), { recursive: true });
    this.#setupToken = setupTokenFor(config, self);
    const transport = new GrpcPeerTransport(tls === undefined ? undefined : { tls, logger });
    this.#metrics = new Metrics({
      nodeId: self.id,
      dbPath: self.dbPath,
      node: () => this.#node.metrics(),
      connections: () => this.#grpc.connectionCount,
      certificateExpiresAtMs: () => tls?.material.expiresAtMs,
    });
    const onSync = (syncMs: number) => this.#metrics.synced(syncMs);
    const logStore = new SqliteLogStore(self.dbPath, {}, onSync);
    this.#node = new Node(
      {
        nodeId: self.id,
        nodes: config.nodes,
        tuning: config.tuning,
        statusRequiresLogin: !isLoopback(self.listenHost),
        setupTokenHash: this.#setupToken?.hash,
        operatorTokenHash: operatorTokenHash(self.dbPath),
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
        onFatal: options.onFatal,
      },
    );
    this.#grpc = new GrpcServer({
      services: () => (this.#phase === "starting" ? undefined : this.#node.services),
      transport,
      clock: systemClock,
      logger,
      connectionsMax: connectionsWithinLimit(config.connectionsMax),
      tls,
    });
    const readiness = () => this.#readiness();
    this.#http = new HttpServer({ readiness, metrics: this.#metrics, tls });
  }

  /**
   * Listens, and resolves when the node belongs to its cluster and serves. Rejects with a ListenError, or with what kept the
   * node from starting.
   */
  async start(): Promise<void> {
    const { config, self, logger } = this.#options;
    // The port comes first: a second process on the same files stops here, before it opens them.
    await this.#listen("gRPC", self.listenHost, self.port, () =>
      this.#grpc.listen(self.listenHost, self.port),
    );
    if (self.httpPort !== 0) {
      await this.#listen("HTTP", self.listenHost, self.httpPort, () =>
        this.#http.listen(self.listenHost, self.httpPort),
      );
    }
    this.#tls?.watch();
    if (config.insecure && reachesBeyondLoopback(config)) {
      const message =
        "insecure: whoever reaches these ports may read along, write, and pass for a node of this cluster";
      logger.warn({ event: "insecure" }, message);
    }
    const tls = this.#tls !== undefined;
    const fields = { grpc: self.address, http: self.httpAddress, dbPath: self.dbPath, tls };
    logger.info(fields, "listening");
    await this.#node.start();
    if (this.#isStopping()) return;
    this.#phase = "serving";
    this.#grpc.health.set(true);
    const replica = this.#node.replica;
    if (replica !== undefined) logRoleChanges(replica, self.id, logger);
    announceSetup(this.#node, this.#setupToken, self.dbPath, logger);
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
      this.#metrics.close();
      this.#tls?.close();
    }
  }

  #isStopping(): boolean {
    return this.#phase === "stopping";
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
