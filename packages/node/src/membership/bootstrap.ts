// How a node comes into a cluster (P9, DESIGN section 7). A node whose disk holds a bootstrap record is a member
// and goes on. One with an empty disk asks before it does anything:
//
// - the first nodes of a new cluster find one another "fresh". The one with the lowest id makes the bootstrap record
//   (cluster id, every node's id and server uuid) when *all* of them have answered so, and hands it to those it lists;
//   A file that lists one node alone has nobody to answer: that node listens for a moment first, because others may have joined it
//   before its disk was lost, and they call;
// - whoever meets a cluster that exists is a joining server, or one whose disk was lost. It waits until the cluster
//   says that it is a member, under a raft id of its own: never under the one that a lost disk had.
import { STATE_VERSION } from "@parley/chat";
import {
  type AdmissionAnswer,
  BootstrapRecord,
  BootstrapState,
  MemberRole,
  ParleyError,
  type PeerHello,
  PROTOCOL_VERSION,
  type ServerRecord,
} from "@parley/protocol";
import type { NodeConfig } from "../config.ts";
import { hex, uuidV4 } from "../ids.ts";
import { Enquiry, type Informant } from "../peers/enquiry.ts";
import {
  checkAddressee,
  isFresh,
  type Reception,
  refusedFor,
  type Self,
} from "../peers/handshake.ts";
import { REDIAL_MS_MAX } from "../peers/peer-link.ts";
import type { LogPosition, LogStore, NodeIdentity, NodePorts, Random, Timer } from "../ports.ts";
import { isWitness } from "./membership.ts";

/**
 * A node that is alone in its file listens for so long before it makes a cluster: the members of one that it had before call what is gone
 * at least once in that time, and have a moment left to be heard.
 */
export const LISTENING_MS = REDIAL_MS_MAX + 500;

/** A node that must not run: the message says why and what can be done. */
export class StartupError extends Error {
  override readonly name = "StartupError";
}

/** What a member knows of itself and of how its cluster began. */
export interface Adoption {
  readonly record: BootstrapRecord;
  readonly self: ServerRecord;
}

export interface BootstrapEvents {
  /** This node belongs to a cluster now (or did so already). */
  onMember(adoption: Adoption): void;
  /** Writing the identity failed: this node must not run. */
  onFatal(error: unknown): void;
}

export class Bootstrap {
  readonly #config: NodeConfig;
  readonly #ports: NodePorts;
  readonly #events: BootstrapEvents;
  readonly #configHash: string;
  #identity: NodeIdentity;
  #adoption: Adoption | undefined;
  #enquiry: Enquiry | undefined;
  /** Where this node listens; empty until the cluster has said so. */
  #address: string;
  #httpAddress: string;
  #isBeingTold = false;
  /** Alone in its file, and nobody who has the cluster may have had the time to call yet. */
  #listening: Timer | undefined;
  /** Server uuids of peers that have answered "fresh". */
  readonly #fresh = new Map<number, string>();
  #adopting = false;
  /** A member of a cluster that exists; empty = nobody. */
  #soughtBy = "";
  #closed = false;
  #lastWait = "";

  /** `base`: where the log begins; a fresh node has been restored from a backup when that is not at 0. */
  constructor(
    config: NodeConfig,
    identity: NodeIdentity,
    base: LogPosition,
    ports: NodePorts,
    events: BootstrapEvents,
  ) {
    this.#config = config;
    this.#ports = ports;
    this.#events = events;
    this.#identity = identity;
    const own = config.nodes.find(({ id }) => id === config.nodeId);
    this.#address = own?.address ?? "";
    this.#httpAddress = own?.httpAddress ?? "";
    const nodes = [...config.nodes].sort((a, b) => a.id - b.id);
    const lines = nodes.map(
      (node) => `${node.id} ${node.address}${node.isWitness === true ? " witness" : ""}`,
    );
    // Nodes that were restored must all have been restored to the same state.
    if (base.index > 0) lines.push(`restored ${base.index} ${base.term}`);
    const text = lines.join("\n");
    this.#configHash = this.#isJoining ? "" : hex(ports.sha256(new TextEncoder().encode(text)));
  }

  /** Undefined while this node belongs to no cluster. */
  get adoption(): Adoption | undefined {
    return this.#adoption;
  }

  get self(): Self {
    return {
      nodeId: this.#config.nodeId,
      serverUuid: this.#identity.serverUuid,
      clusterId: this.#adoption?.record.clusterId ?? "",
    };
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
      const adoption = { record, self: this.#selfIn(record) };
      await this.#listenAt(adoption.self.address);
      this.#adoption = adoption;
      this.#events.onMember(adoption);
      return;
    }
    this.#enquiry = new Enquiry(this.#ports, {
      hello: () => this.hello(),
      onHello: (hello, from) => this.#answered(hello, from),
      onAnswer: (answer) => this.#told(answer),
      onRefused: (error, from) => this.#waitFor(`${from.address}: ${error.message}`, error),
    });
    const informants = this.#informants();
    for (const informant of informants) this.#enquiry.ask(informant);
    if (informants.length > 0) return;
    this.#listening = this.#ports.clock.after(LISTENING_MS, () => {
      this.#listening = undefined;
      this.#makeRecordIfComplete().catch((error: unknown) => this.#events.onFatal(error));
    });
  }

  close(): void {
    this.#closed = true;
    this.#listening?.cancel();
    this.#enquiry?.close();
  }

  hello(): Omit<PeerHello, "toNodeId" | "toServerUuid"> {
    return {
      protocolVersion: PROTOCOL_VERSION,
      clusterId: this.#adoption?.record.clusterId ?? "",
      nodeId: this.#config.nodeId,
      raftId: this.#adoption?.self.raftId ?? 0,
      serverUuid: this.#identity.serverUuid,
      bootstrapState:
        this.#adoption === undefined
          ? BootstrapState.BOOTSTRAP_STATE_FRESH
          : BootstrapState.BOOTSTRAP_STATE_MEMBER,
      configHash: this.#configHash,
      address: this.#address,
      httpAddress: this.#httpAddress,
      witness: this.#config.isWitness === true,
      stateVersion: this.#config.stateVersion ?? STATE_VERSION,
    };
  }

  /**
   * A member of a cluster called, and means this node, or the disk that it has lost: it is asked as well, since nobody else may be
   * left of those that the configuration names. Where there is a cluster, no new one is made.
   */
  calledByMember({ address, nodeId, clusterId }: PeerHello): void {
    if (this.#adoption !== undefined || this.#adopting) return;
    this.#soughtBy = `node ${nodeId} of cluster ${clusterId}`;
    if (address !== "") this.#enquiry?.ask({ address, nodeId });
  }

  /** Takes in a caller's hello while this node belongs to no cluster. */
  receive(hello: PeerHello): Reception {
    // A member looks who listens here, before it says anything about it to the others.
    if (!isFresh(hello)) return { kind: "visitor" };
    if (this.#isJoining || hello.configHash === "") {
      return refusedFor(
        new ParleyError(
          "NOT_READY",
          `node ${this.#config.nodeId} belongs to no cluster itself yet`,
        ),
      );
    }
    if (hello.configHash !== this.#configHash) {
      return refusedFor(
        new ParleyError(
          "WRONG_CLUSTER",
          `nodes ${hello.nodeId} and ${this.#config.nodeId} were started with different lists of nodes, or not restored ` +
            "from the same backup: give all of them the same configuration, and restore all of them or none",
        ),
      );
    }
    this.#foundFresh(hello);
    return { kind: "enquirer" };
  }

  get #isJoining(): boolean {
    return this.#config.join.length > 0;
  }

  #informants(): readonly Informant[] {
    const { nodeId, nodes, join } = this.#config;
    if (this.#isJoining) return join.map((address) => ({ address, nodeId: 0 }));
    return nodes
      .filter(({ id }) => id !== nodeId)
      .map(({ id, address }) => ({ address, nodeId: id }));
  }

  // ---- Being answered ----------------------------------------------------------------------------

  #answered(hello: PeerHello, from: Informant): ParleyError | undefined {
    const problem = checkAddressee(hello, this.self);
    if (problem !== undefined) {
      this.#waitFor(`${from.address}: ${problem.message}`, problem);
      return problem;
    }
    if (!isFresh(hello)) return undefined;
    const reception = this.receive(hello);
    if (reception.kind !== "refused") return undefined;
    this.#waitFor(`${from.address}: ${reception.error.message}`, reception.error);
    return reception.error;
  }

  #told({ record, address, refusal }: AdmissionAnswer): void {
    if (this.#adoption !== undefined || this.#adopting || this.#closed) return;
    if (record !== undefined) {
      this.#offered(record).catch((error: unknown) => this.#events.onFatal(error));
    } else if (address !== "") {
      this.#toldToListen(address);
    } else if (refusal !== undefined) {
      const error = ParleyError.fromWire(refusal);
      this.#waitFor(error.message, error);
    }
  }

  /** A member sent the record. */
  async #offered(record: BootstrapRecord): Promise<void> {
    const { nodeId } = this.#config;
    const { serverUuid } = this.#identity;
    const self = record.self ?? record.members.find((member) => member.serverUuid === serverUuid);
    // Adopted only by the one whom it lists: anybody else's place in the cluster is not this node's.
    if (self?.serverUuid !== serverUuid || self.nodeId !== nodeId || self.raftId < 1) return;
    if (record.clusterId === "" || record.members.length === 0) return;
    await this.#adopt({ record: { ...record, self }, self });
  }

  #toldToListen(address: string): void {
    if (this.#address !== "" || this.#isBeingTold) return;
    this.#isBeingTold = true;
    this.#listenAt(address).then(
      () => {
        this.#isBeingTold = false;
        this.#enquiry?.again();
      },
      (error: unknown) => {
        this.#isBeingTold = false;
        const message = error instanceof Error ? error.message : String(error);
        this.#waitFor(`the cluster says that this node listens on ${address}, but: ${message}`);
      },
    );
  }

  async #listenAt(address: string): Promise<void> {
    if (this.#address !== "" || address === "") return;
    const httpAddress = (await this.#ports.listen?.(address)) ?? "";
    this.#address = address;
    this.#httpAddress = httpAddress;
  }

  /** Says once what this node waits for. */
  #waitFor(what: string, error?: ParleyError): void {
    if (what === this.#lastWait || this.#adoption !== undefined) return;
    this.#lastWait = what;
    const level = error?.reason === "NOT_READY" ? "debug" : "warn";
    this.#ports.logger[level](
      { event: "waiting", reason: error?.reason ?? "" },
      `waiting for admission: ${what}`,
    );
  }

  // ---- A new cluster -----------------------------------------------------------------------------

  #foundFresh(hello: PeerHello): void {
    this.#fresh.set(hello.nodeId, hello.serverUuid);
    this.#makeRecordIfComplete().catch((error: unknown) => this.#events.onFatal(error));
  }

  async #makeRecordIfComplete(): Promise<void> {
    if (this.#adoption !== undefined || this.#adopting || this.#isJoining) return;
    if (this.#listening !== undefined || this.#closed) return;
    const { nodeId, nodes } = this.#config;
    if (nodes.some((node) => node.id < nodeId)) return;
    if (nodes.some((node) => node.id !== nodeId && !this.#fresh.has(node.id))) return;
    if (this.#soughtBy !== "") {
      this.#waitFor(
        `all nodes of the configuration have empty disks, but ${this.#soughtBy} calls: no new cluster is made`,
      );
      return;
    }
    const members = nodes.map(
      (node): ServerRecord => ({
        nodeId: node.id,
        raftId: node.id,
        serverUuid:
          node.id === nodeId ? this.#identity.serverUuid : (this.#fresh.get(node.id) ?? ""),
        address: node.address,
        httpAddress: node.httpAddress,
        role:
          node.isWitness === true ? MemberRole.MEMBER_ROLE_WITNESS : MemberRole.MEMBER_ROLE_VOTER,
      }),
    );
    const record: BootstrapRecord = {
      clusterId: uuidV4(this.#ports.random),
      configHash: this.#configHash,
      members,
      self: undefined,
      setupTokenHash: this.#config.setupTokenHash ?? new Uint8Array(),
    };
    await this.#adopt({ record, self: this.#selfIn(record) });
  }

  async #adopt(adoption: Adoption): Promise<void> {
    this.#adopting = true;
    // A node that asked, listened, was added, and restarted before it heard so is told the answer alone.
    await this.#listenAt(adoption.self.address);
    const { serverUuid } = this.#identity;
    const identity = { serverUuid, bootstrap: BootstrapRecord.encode(adoption.record).finish() };
    await this.#ports.logStore.setIdentity(identity);
    if (this.#closed) return;
    this.#identity = identity;
    this.#adoption = adoption;
    this.#enquiry?.close();
    this.#ports.logger.info(
      { clusterId: adoption.record.clusterId, raftId: adoption.self.raftId },
      "joined a cluster",
    );
    this.#events.onMember(adoption);
  }

  #selfIn(record: BootstrapRecord): ServerRecord {
    const { serverUuid } = this.#identity;
    const self = record.self ?? record.members.find((member) => member.serverUuid === serverUuid);
    if (self === undefined || self.nodeId !== this.#config.nodeId) {
      throw new StartupError(
        `The data directory belongs to another node than ${this.#config.nodeId}: check --id and db_path.`,
      );
    }
    if (isWitness(self) !== (this.#config.isWitness === true)) {
      const { is, started } = isWitness(self)
        ? { is: "a witness", started: "without `role: witness` (or --witness)" }
        : { is: "a node with a chat state", started: "as a witness" };
      throw new StartupError(
        `The data directory belongs to node ${self.nodeId}, which is ${is} of its cluster, but it was started ${started}. A server's ` +
          "role does not change: start it as what it is. To change it, remove the server and add one with an empty data directory.",
      );
    }
    return self;
  }
}
