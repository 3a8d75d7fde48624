// `parley server`: one node with its real clock, disks and sockets.
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { Node, type PeerTransport } from "@parley/node";
import { SqliteChatStore, SqliteLogStore, WitnessStore } from "@parley/store";
import { formatAddress, isLoopback, parseAddress } from "../config/addresses.ts";
import { type ClusterConfig, defaultHttpPort, type ServerNode } from "../config/load.ts";
import { GrpcServer } from "../grpc/grpc-server.ts";
import { GrpcPeerTransport } from "../grpc/peer-transport.ts";
import { HttpServer, type Readiness } from "../http/http-server.ts";
import { SessionSockets } from "../http/session-socket.ts";
import { WebApp } from "../http/web-app.ts";
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
  /** What its links to peers go through; left out: nothing. */
  readonly around?: ((own: PeerTransport) => PeerTransport) | undefined;
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
  /** Empty until a server that joins was told. */
  #listenHost: string;

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
    const isOpen = () => !isLoopback(this.#listenHost);
    this.#listenHost = self.listenHost;
    this.#node = new Node(
      {
        nodeId: self.id,
        nodes: config.nodes,
        join: config.join,
        isWitness: self.isWitness,
        priority: self.priority,
        tuning: config.tuning,
        // Asked when the node begins to serve: by then it knows where it listens.
        get statusRequiresLogin() {
          return isOpen();
        },
        setupTokenHash: this.#setupToken?.hash,
        operatorTokenHash: operatorTokenHash(self.dbPath),
      },
      {
        clock: systemClock,
        random: systemRandom,
        logStore,
        chatStore: self.isWitness
          ? new WitnessStore(logStore)
          : new SqliteChatStore({ dbPath: self.dbPath, owner: logStore, logger }),
        transport: options.around?.(transport) ?? transport,
        hasher: createPasswordHasher(),
        sha256,
        logger,
        listen: (address) => this.#listenWhereTold(address),
        onFatal: options.onFatal,
      },
    );
    const services = () => (this.#phase === "starting" ? undefined : this.#node.services);
    this.#grpc = new GrpcServer({
      services,
      transport,
      clock: systemClock,
      logger,
      connectionsMax: connectionsWithinLimit(config.connectionsMax),
      tls,
    });
    const readiness = () => this.#readiness();
    const sessions = new SessionSockets({
      services,
      httpAddresses: () => this.#httpAddresses(),
      ownAddress: () => this.#ownHttpAddress(),
      isSecure: tls !== undefined,
    });
    const webApp = self.isWitness ? undefined : WebApp.load();
    this.#http = new HttpServer({ readiness, metrics: this.#metrics, sessions, webApp, tls });
  }

  /**
   * Listens, and resolves when the node belongs to its cluster and serves. Rejects with a ListenError, or with what kept the
   * node from starting.
   */
  async start(): Promise<void> {
    const { config, self, logger } = this.#options;
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
      const tls = this.#tls !== undefined;
      const fields = { grpc: self.address, http: self.httpAddress, dbPath: self.dbPath, tls };
      logger.info(fields, "listening");
    } else {
      const { join } = config;
      logger.info({ join, dbPath: self.dbPath }, `asking ${join.join(", ")} where to listen`);
    }
    this.#tls?.watch();
    if (config.insecure && reachesBeyondLoopback(config)) {
      const message =
        "insecure: whoever reaches these ports may read along, write, and pass for a node of this cluster";
      logger.warn({ event: "insecure" }, message);
    }
    await this.#node.start();
    if (this.#isStopping()) return;
    this.#phase = "serving";
    this.#grpc.health.set(true, !self.isWitness);
    const replica = this.#node.replica;
    if (replica !== undefined) logRoleChanges(replica, self.id, logger);
    announceSetup(this.#node, this.#setupToken, self.dbPath, logger);
    logger.info({ event: "serving", witness: self.isWitness }, "serving");
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

  #ownHttpAddress(): string {
    const { host, httpPort } = this.#options.self;
    return httpPort === 0 ? "" : formatAddress({ host, port: httpPort });
  }

  /** Where a page of this cluster may come from, this node first. */
  #httpAddresses(): readonly string[] {
    const members = this.#node.replica?.view().nodes ?? [];
    const all = [this.#options.self.httpAddress, ...members.map((node) => node.httpAddress)];
    return all.filter((address) => address !== "");
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
    if (!isLoopback(host) && this.#tls === undefined && !config.insecure) {
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
    // A witness is no place to send clients to.
    const { isWitness } = this.#options.self;
    const ready = this.#phase === "serving" && !isWitness;
    const view = this.#node.replica?.view();
    return {
      ready,
      detail: {
        phase: this.#phase,
        node_id: this.#options.self.id,
        witness: isWitness,
        leader_id: view?.leaderId ?? 0,
        has_quorum: view?.hasQuorum ?? false,
        stale_ms: view?.staleMs ?? 0,
        revision: this.#node.replica?.appliedRevision ?? 0,
        connections: this.#grpc.connectionCount,
      },
    };
  }
}
