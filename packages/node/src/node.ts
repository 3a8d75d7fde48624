// One Parley node: the first file to read here. It joins or makes its cluster (bootstrap.ts), keeps
// links to its peers (peer-mesh.ts), drives the consensus core (driver.ts), puts writes into the log and
// sees them applied (log-writer.ts, proposals.ts), and offers the chat service (service/) a replicated log
// (replica.ts). running-node.ts puts those together.
import { Admission } from "@parley/chat";
import { ParleyError, type PeerHello } from "@parley/protocol";
import { type ConfState, EMPTY_CONF_STATE } from "@parley/raft";
import type { NodeConfig } from "./config.ts";
import { CopyReceiver } from "./copies/copy-receiver.ts";
import { type Adoption, Bootstrap, StartupError } from "./membership/bootstrap.ts";
import { genesisMembership, serverOfNode } from "./membership/membership.ts";
import { outOfTheCluster } from "./membership/removal.ts";
import { Roster } from "./membership/roster.ts";
import type { NodeMetrics } from "./metrics.ts";
import {
  checkAddressee,
  isFresh,
  type Reception,
  receiveAsMember,
  refusedFor,
} from "./peers/handshake.ts";
import { PeerMesh } from "./peers/peer-mesh.ts";
import type { ChatStoreState, InstalledCopy, LogState, Membership, NodePorts } from "./ports.ts";
import type { Replica } from "./replica.ts";
import { LogCache } from "./replication/log-cache.ts";
import { type NodeServices, RunningNode } from "./running-node.ts";
import { StatelessNode } from "./stateless-node.ts";

export type { NodeServices } from "./running-node.ts";

export class Node {
  readonly #config: NodeConfig;
  readonly #ports: NodePorts;
  readonly #mesh: PeerMesh;
  #bootstrap: Bootstrap | undefined;
  readonly #receiver: CopyReceiver;
  #roster: Roster | undefined;
  #running: RunningNode | undefined;
  /** In its place while the chat state is lost. */
  #stateless: StatelessNode | undefined;
  #startup: PromiseWithResolvers<void> | undefined;
  #stopped = false;
  #stopping: Promise<void> | undefined;

  constructor(config: NodeConfig, ports: NodePorts) {
    this.#config = config;
    this.#ports = ports;
    this.#mesh = new PeerMesh(
      ports,
      {
        hello: () => this.#started().hello(),
        receive: (hello) => this.#receive(hello),
      },
      {
        onPeerUp: (peerId) => this.#running?.peerUp(peerId),
        onPeerDown: (peerId) => this.#running?.peerDown(peerId),
        onPeerSilent: (peerId) => this.#running?.peerSilent(peerId),
        onPeerDead: (peerId) => this.#running?.peerDead(peerId),
        onIntroduced: (hello) => this.#roster?.met(hello),
        onFrame: (peerId, frame) => (this.#running ?? this.#stateless)?.receive(peerId, frame),
        onRejected: (peerId, error) => this.#running?.rejected(peerId, error),
        onDrain: (peerId) => this.#running?.peerDrained(peerId),
      },
    );
    this.#receiver = new CopyReceiver(ports.chatStore.copies, this.#mesh, ports);
    ports.transport.listenForCopies((link) => this.#receiver.accept(link));
  }

  /** Undefined until the node belongs to a cluster. */
  get services(): NodeServices | undefined {
    return this.#running?.services;
  }

  /** Undefined until the node belongs to a cluster. */
  metrics(): NodeMetrics | undefined {
    return this.#running?.metrics();
  }

  /** SHA-256 of the set-up token while the first account, which needs it, is still to come. */
  get awaitedSetupHash(): Uint8Array | undefined {
    return this.#running?.awaitedSetupHash;
  }

  /** The replicated log as this node sees it; undefined until the node belongs to a cluster. */
  get replica(): Replica | undefined {
    return this.#running;
  }

  /**
   * Resolves when the node belongs to a cluster and serves (perhaps without a leader yet): on the first start not
   * before all configured nodes have been seen, or the cluster that it joins has admitted it. Rejects with a StartupError or a storage error
   * when the node must not run.
   */
  async start(): Promise<void> {
    const state = await this.#ports.logStore.open();
    const { logStore, random } = this.#ports;
    const identity = await Bootstrap.identity(state.identity, logStore, random);
    if (this.#stopped) throw stoppedEarly();
    const startup = Promise.withResolvers<void>();
    // Whoever called gets it below, or something that went wrong before.
    startup.promise.catch(() => {});
    this.#startup = startup;
    const base = { index: state.compactedIndex, term: state.compactedTerm };
    this.#bootstrap = new Bootstrap(this.#config, identity, base, this.#ports, {
      onMember: (adoption) => {
        this.#tellEnquirers(genesisMembership(adoption.record), adoption);
        this.#run(adoption, state).then(startup.resolve, startup.reject);
      },
      onFatal: (error) => {
        startup.reject(error);
        this.#fatal(error);
      },
    });
    await this.#bootstrap.begin();
    await startup.promise;
  }

  /** Hands leadership over, tells clients to go elsewhere, flushes and closes. At most `graceMs`. */
  stop(options: { readonly graceMs: number }): Promise<void> {
    if (!this.#stopped) this.#stopping = this.#shutDown(options.graceMs);
    return this.#stopping ?? Promise.resolve();
  }

  async #shutDown(graceMs: number): Promise<void> {
    this.#stopped = true;
    this.#startup?.reject(stoppedEarly());
    this.#stateless?.halt();
    await this.#running?.stop(graceMs);
    this.#receiver.close();
    this.#bootstrap?.close();
    this.#mesh.close();
    try {
      await this.#ports.chatStore.close();
    } finally {
      await this.#ports.logStore.close();
    }
  }

  async #run(adoption: Adoption, log: LogState): Promise<void> {
    const genesis = genesisMembership(adoption.record);
    const chat = await this.#ports.chatStore.open(genesis, log.compactedIndex);
    const applied = chat.admission.appliedIndex;
    if (applied < log.compactedIndex) {
      const installed = await this.#fetchState(adoption, genesis, log);
      if (!this.#stopped) await this.#serve(adoption, genesis, installed.log, installed.chat);
      return;
    }
    if (applied > log.lastIndex) {
      throw new StartupError(
        `The chat file has revision ${applied} but the log ends at ${log.lastIndex}: the log lost acknowledged entries, so this ` +
          "node counts as wiped and may not vote. If the old disk can be brought back, bring it back. Else move the node's files " +
          "away and start it again: with an empty disk it asks its cluster to take it back under the same id.",
      );
    }
    await this.#serve(adoption, genesis, log, chat);
  }

  /** Waits, as a node without a chat state, for a copy of a peer's. */
  async #fetchState(
    { self }: Adoption,
    genesis: Membership,
    log: LogState,
  ): Promise<InstalledCopy> {
    if (genesis.servers.length === 1) {
      throw new StartupError(
        `The chat file is lost or damaged, the log begins after index ${log.compactedIndex}, and there is no other node to ` +
          "get a copy from. Restore the latest backup into an empty data folder (`parley restore`).",
      );
    }
    const commit = Math.max(log.compactedIndex, Math.min(log.hardState.commit, log.lastIndex));
    const cache = await this.#loadCache(log, EMPTY_CONF_STATE, commit);
    const { promise, reject } = Promise.withResolvers<never>();
    this.#startup?.promise.catch(reject);
    // The table of servers was in the chat file: those of the beginning, and whoever introduces itself.
    const roster = new Roster(self, genesis, 0, this.#places(genesis));
    this.#roster = roster;
    this.#stateless = new StatelessNode(
      this.#config.isWitness === true,
      this.#config.tuning,
      this.#ports,
      roster,
      this.#mesh,
      cache,
      commit,
      (error) => this.#fatal(error),
    );
    this.#receiver.serve(this.#stateless);
    const installed = await Promise.race([this.#stateless.run(), promise]);
    this.#stateless = undefined;
    this.#receiver.serve(undefined);
    return installed;
  }

  #loadCache(log: LogState, confState: ConfState, applied: number): Promise<LogCache> {
    const { logStore, logger } = this.#ports;
    return LogCache.load(logStore, log, confState, applied, this.#config.tuning.logCacheBytesMax, {
      onLoaded: () => this.#running?.entriesLoaded(),
      onFailed: (error) => this.#fatal(error),
      onDamaged: ({ damagedIndex, found }) => {
        logger.error(
          { index: damagedIndex, found },
          "a log entry is damaged; what it did is applied, and followers that need it get a copy instead",
        );
      },
      snapshot: (to, indexMax) => this.#running?.snapshotFor(to, indexMax) ?? "unavailable",
    });
  }

  async #serve(
    { record, self }: Adoption,
    genesis: Membership,
    log: LogState,
    chat: ChatStoreState,
  ): Promise<void> {
    const applied = chat.admission.appliedIndex;
    // A chat file from before the table of servers is of a cluster that never changed.
    const stored = chat.confState;
    const membership = stored === undefined || stored.nextRaftId === 0 ? genesis : stored;
    const cache = await this.#loadCache(log, membership, applied);
    if (this.#stopped) return;
    const admission = new Admission();
    admission.load(chat.admission);
    const asOf = Math.max(applied, chat.confStateIndex ?? 0);
    this.#roster = new Roster(self, membership, asOf, this.#places(genesis));
    if (this.#roster.standing === "removed") throw removedBefore(record.clusterId, self.nodeId);
    this.#running = new RunningNode(
      this.#config,
      this.#ports,
      record,
      this.#roster,
      this.#mesh,
      cache,
      admission,
      applied,
      (error) => this.#fatal(error),
    );
    this.#receiver.serve(this.#running.copies);
    this.#running.start();
  }

  /** Where the configuration has the first members: it is what an operator changes when one moves. */
  #places(genesis: Membership): ReadonlyMap<number, { address: string; httpAddress: string }> {
    const places = new Map<number, { address: string; httpAddress: string }>();
    for (const { id, address, httpAddress } of this.#config.nodes) {
      const server = serverOfNode(genesis, id);
      if (server !== undefined) places.set(server.raftId, { address, httpAddress });
    }
    return places;
  }

  #receive(hello: PeerHello): Reception {
    const bootstrap = this.#bootstrap;
    if (bootstrap === undefined) return refusedFor(starting());
    const { adoption, self } = bootstrap;
    if (hello.raftId > 0 && hello.toNodeId === self.nodeId) bootstrap.calledByMember(hello);
    const problem = checkAddressee(hello, self);
    if (problem !== undefined) return refusedFor(problem);
    if (adoption === undefined) return bootstrap.receive(hello);
    if (this.#roster?.standing === "removed") {
      return refusedFor(outOfTheCluster());
    }
    if (this.#roster !== undefined) {
      return receiveAsMember(hello, adoption.record.clusterId, this.#roster.membership);
    }
    return isFresh(hello) ? { kind: "enquirer" } : refusedFor(starting());
  }

  /** Hands the record to the fresh servers that are members, and ask whether they are. */
  #tellEnquirers(membership: Membership, { record }: Adoption): void {
    for (const { serverUuid } of this.#mesh.enquirers()) {
      const self = membership.servers.find((server) => server.serverUuid === serverUuid);
      if (self === undefined) continue;
      this.#mesh.tellEnquirer(serverUuid, {
        record: { ...record, self },
        address: "",
        refusal: undefined,
      });
    }
  }

  #started(): Bootstrap {
    if (this.#bootstrap === undefined) throw new Error("a link was made before the node started");
    return this.#bootstrap;
  }

  #fatal(error: unknown): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#stateless?.halt();
    this.#running?.halt();
    this.#receiver.close();
    this.#bootstrap?.close();
    this.#mesh.close();
    this.#ports.onFatal(error);
  }
}

function stoppedEarly(): StartupError {
  return new StartupError("stopped before the node belonged to a cluster");
}

function starting(): ParleyError {
  return new ParleyError("NOT_READY", "the node is still starting", { retryAfterMs: 50 });
}

function removedBefore(clusterId: string, nodeId: number): StartupError {
  return new StartupError(
    `Server ${nodeId} was removed from cluster ${clusterId}, and this is its data. To use the machine again, move the data ` +
      "away, start it with --join and add it with `parley add-server`.",
  );
}
