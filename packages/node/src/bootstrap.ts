// How a set of empty nodes becomes a cluster, and how a node whose disk was lost is kept from
// pretending to be its old self (P9, DESIGN section 7).
//
// The bootstrap record (cluster id, configuration hash, every node's id and server uuid) is made by
// the configured node with the lowest id, and only when all configured nodes have answered "fresh".
// A node adopts it only if it lists the node's own uuid. Any other empty node is a wiped one.
import {
  BootstrapRecord,
  BootstrapState,
  ParleyError,
  type PeerHello,
  PROTOCOL_VERSION,
} from "@parley/protocol";
import type { NodeConfig } from "./config.ts";
import { hex, uuidV4 } from "./ids.ts";
import type { Logger, LogStore, NodeIdentity, Random, Sha256 } from "./ports.ts";

/** A node that must not run: the message says why and what can be done. */
export class StartupError extends Error {
  override readonly name = "StartupError";
}

export interface BootstrapEvents {
  /** This node belongs to a cluster now (or did so already). */
  onMember(record: BootstrapRecord): void;
  /** This node must not run. */
  onFatal(error: StartupError): void;
}

export class Bootstrap {
  readonly #config: NodeConfig;
  readonly #store: LogStore;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #events: BootstrapEvents;
  readonly #configHash: string;
  #identity: NodeIdentity;
  #record: BootstrapRecord | undefined;
  /** Server uuids of peers that have answered "fresh". */
  readonly #fresh = new Map<number, string>();
  #adopting = false;

  constructor(
    config: NodeConfig,
    identity: NodeIdentity,
    ports: {
      readonly logStore: LogStore;
      readonly random: Random;
      readonly sha256: Sha256;
      readonly logger: Logger;
    },
    events: BootstrapEvents,
  ) {
    this.#config = config;
    this.#store = ports.logStore;
    this.#random = ports.random;
    this.#logger = ports.logger;
    this.#events = events;
    this.#identity = identity;
    const nodes = [...config.nodes].sort((a, b) => a.id - b.id);
    const text = nodes.map((node) => `${node.id} ${node.address}`).join("\n");
    this.#configHash = hex(ports.sha256(new TextEncoder().encode(text)));
  }

  get record(): BootstrapRecord | undefined {
    return this.#record;
  }

  /** Reads the identity from the store, making one on the very first start. */
  static async identity(
    stored: NodeIdentity | undefined,
    store: LogStore,
    random: Random,
  ): Promise<NodeIdentity> {
    if (stored !== undefined) return stored;
    const identity: NodeIdentity = { serverUuid: uuidV4(random), bootstrap: undefined };
    await store.setIdentity(identity);
    return identity;
  }

  /** Goes on from what the disk says. Throws a StartupError when it doesn't fit the configuration. */
  async begin(): Promise<void> {
    if (this.#identity.bootstrap !== undefined) {
      const record = BootstrapRecord.decode(this.#identity.bootstrap);
      this.#checkFitsConfiguration(record);
      this.#record = record;
      this.#events.onMember(record);
      return;
    }
    await this.#makeRecordIfComplete();
  }

  hello(): Omit<PeerHello, "toNodeId" | "toServerUuid"> {
    return {
      protocolVersion: PROTOCOL_VERSION,
      clusterId: this.#record?.clusterId ?? "",
      nodeId: this.#config.nodeId,
      raftId: this.#record === undefined ? 0 : this.#config.nodeId,
      serverUuid: this.#identity.serverUuid,
      bootstrapState:
        this.#record === undefined
          ? BootstrapState.BOOTSTRAP_STATE_FRESH
          : BootstrapState.BOOTSTRAP_STATE_MEMBER,
      configHash: this.#configHash,
    };
  }

  uuidOf(nodeId: number): string {
    const member = this.#record?.members.find((one) => one.nodeId === nodeId);
    return member?.serverUuid ?? this.#fresh.get(nodeId) ?? "";
  }

  /** Whether this peer said that it is fresh and may be given the record. */
  needsRecord(nodeId: number): boolean {
    return this.#record !== undefined && this.#fresh.has(nodeId);
  }

  /** Takes in a peer's hello; an error = refuse it. */
  accept(hello: PeerHello): ParleyError | undefined {
    const { serverUuid } = this.#identity;
    if (hello.toServerUuid !== "" && hello.toServerUuid !== serverUuid) {
      return new ParleyError(
        "WRONG_CLUSTER",
        // Not whom it met: by its uuid a peer knows the other, and this one may be anybody.
        `node ${hello.nodeId} expects server ${hello.toServerUuid} here, but this is another one`,
      );
    }
    const peerIsFresh = hello.bootstrapState === BootstrapState.BOOTSTRAP_STATE_FRESH;
    if (this.#record === undefined) return this.#acceptAsFresh(hello, peerIsFresh);
    const known = this.#record.members.find((member) => member.nodeId === hello.nodeId);
    if (known === undefined) {
      return new ParleyError(
        "WRONG_CLUSTER",
        `cluster ${this.#record.clusterId} has no node ${hello.nodeId}`,
      );
    }
    if (known.serverUuid !== hello.serverUuid) {
      return peerIsFresh ? this.#wiped(hello.nodeId) : this.#foreign(hello);
    }
    if (peerIsFresh) {
      this.#fresh.set(hello.nodeId, hello.serverUuid);
      return undefined;
    }
    this.#fresh.delete(hello.nodeId);
    const isOurs = hello.clusterId === this.#record.clusterId && hello.raftId === known.raftId;
    return isOurs ? undefined : this.#foreign(hello);
  }

  /** A peer refused this node. */
  rejected(peerId: number, error: ParleyError): void {
    if (error.reason === "WIPED_DISK" && this.#record === undefined) {
      this.#events.onFatal(new StartupError(error.message));
      return;
    }
    const level = error.reason === "NOT_READY" ? "debug" : "warn";
    this.#logger[level](
      { peer: peerId, reason: error.reason },
      `refused by node ${peerId}: ${error.message}`,
    );
  }

  /** A member sent the record. */
  async offered(record: BootstrapRecord): Promise<void> {
    if (this.#record !== undefined || this.#adopting) return;
    const self = record.members.find((member) => member.nodeId === this.#config.nodeId);
    if (self?.serverUuid !== this.#identity.serverUuid) return;
    if (record.configHash !== this.#configHash || !this.#isWhole(record)) {
      this.#logger.warn(
        { clusterId: record.clusterId },
        "ignored a record for other nodes than these",
      );
      return;
    }
    await this.#adopt(record);
  }

  /** Whether it lists each configured node exactly once, as `#makeRecordIfComplete` does. */
  #isWhole(record: BootstrapRecord): boolean {
    const { nodes } = this.#config;
    return (
      record.clusterId !== "" &&
      record.members.length === nodes.length &&
      nodes.every(({ id }) => {
        const member = record.members.find((one) => one.nodeId === id);
        return member?.raftId === id && member.serverUuid !== "";
      })
    );
  }

  #acceptAsFresh(hello: PeerHello, peerIsFresh: boolean): ParleyError | undefined {
    // A member decides itself whether this node is one of its own: it sends the record or refuses.
    if (!peerIsFresh) return undefined;
    if (hello.configHash !== this.#configHash) {
      return new ParleyError(
        "WRONG_CLUSTER",
        `nodes ${hello.nodeId} and ${this.#config.nodeId} were started with different lists of nodes: ` +
          "give all of them the same configuration",
      );
    }
    this.#fresh.set(hello.nodeId, hello.serverUuid);
    this.#makeRecordIfComplete().catch((error: unknown) => this.#fail(error));
    return undefined;
  }

  async #makeRecordIfComplete(): Promise<void> {
    if (this.#record !== undefined || this.#adopting) return;
    const { nodeId, nodes } = this.#config;
    if (nodes.some((node) => node.id < nodeId)) return;
    if (nodes.some((node) => node.id !== nodeId && !this.#fresh.has(node.id))) return;
    await this.#adopt({
      clusterId: uuidV4(this.#random),
      configHash: this.#configHash,
      members: nodes.map((node) => ({
        nodeId: node.id,
        raftId: node.id,
        serverUuid: node.id === nodeId ? this.#identity.serverUuid : this.uuidOf(node.id),
        address: node.address,
        httpAddress: node.httpAddress,
      })),
      setupTokenHash: this.#config.setupTokenHash ?? new Uint8Array(),
    });
  }

  async #adopt(record: BootstrapRecord): Promise<void> {
    this.#adopting = true;
    const identity = {
      serverUuid: this.#identity.serverUuid,
      bootstrap: BootstrapRecord.encode(record).finish(),
    };
    await this.#store.setIdentity(identity);
    this.#identity = identity;
    this.#record = record;
    this.#logger.info({ clusterId: record.clusterId }, "joined a new cluster");
    this.#events.onMember(record);
  }

  #checkFitsConfiguration(record: BootstrapRecord): void {
    const ids = (list: readonly number[]) => [...list].sort((a, b) => a - b).join(", ");
    const members = ids(record.members.map((member) => member.nodeId));
    const configured = ids(this.#config.nodes.map((node) => node.id));
    if (members !== configured) {
      throw new StartupError(
        `The data of node ${this.#config.nodeId} belongs to cluster ${record.clusterId} with the nodes ${members}, ` +
          `but the configuration lists ${configured}. Start it with the same nodes, or with another, empty data directory.`,
      );
    }
    const self = record.members.find((member) => member.nodeId === this.#config.nodeId);
    if (self?.serverUuid !== this.#identity.serverUuid) {
      throw new StartupError(
        `The data directory belongs to another node than ${this.#config.nodeId}: check --id and db_path.`,
      );
    }
  }

  #wiped(nodeId: number): ParleyError {
    return new ParleyError(
      "WIPED_DISK",
      `Node ${nodeId} starts with an empty disk, but cluster ${this.#record?.clusterId} knows it with data. ` +
        "A node that lost its disk may not vote under its old identity, because it has forgotten what it promised. " +
        `If db_path points to the wrong place, correct it. If the data is really gone, bring the old disk back; ` +
        "the other nodes go on without it as long as they are a majority.",
    );
  }

  #foreign(hello: PeerHello): ParleyError {
    return new ParleyError(
      "WRONG_CLUSTER",
      `node ${hello.nodeId} belongs to cluster ${hello.clusterId || "(none)"} under another identity; ` +
        `this is cluster ${this.#record?.clusterId}`,
    );
  }

  #fail(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#events.onFatal(new StartupError(`Writing the node's identity failed: ${message}`));
  }
}
