// One Parley node: the first file to read here. It joins or makes its cluster (bootstrap.ts), keeps
// links to its peers (peer-mesh.ts), drives the consensus core (driver.ts), puts writes into the log and
// sees them applied (log-writer.ts, proposals.ts), and offers the chat service (service/) a replicated log
// (replica.ts). running-node.ts puts those together.
import { Admission } from "@parley/chat";
import {
  type BootstrapRecord,
  BootstrapRecord as BootstrapRecordCodec,
  ParleyError,
  type PeerFrame,
} from "@parley/protocol";
import { type ConfState, EMPTY_CONF_STATE } from "@parley/raft";
import { Bootstrap, StartupError } from "./bootstrap.ts";
import type { NodeConfig } from "./config.ts";
import { CopyReceiver } from "./copy-receiver.ts";
import { LogCache } from "./log-cache.ts";
import type { NodeMetrics } from "./metrics.ts";
import { PeerMesh } from "./peer-mesh.ts";
import type { ChatStoreState, InstalledCopy, LogState, NodePorts } from "./ports.ts";
import type { Replica } from "./replica.ts";
import { type NodeServices, RunningNode } from "./running-node.ts";
import { StatelessNode } from "./stateless-node.ts";

export type { NodeServices } from "./running-node.ts";

export class Node {
  readonly #config: NodeConfig;
  readonly #ports: NodePorts;
  readonly #mesh: PeerMesh;
  #bootstrap: Bootstrap | undefined;
  readonly #receiver: CopyReceiver;
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
      config.nodeId,
      config.nodes,
      ports,
      {
        hello: () => this.#started().hello(),
        uuidOf: (peerId) => this.#started().uuidOf(peerId),
        accept: (hello) =>
          this.#bootstrap === undefined
            ? new ParleyError("NOT_READY", "the node is still starting", { retryAfterMs: 50 })
            : this.#bootstrap.accept(hello),
      },
      {
        onPeerUp: (peerId) => {
          this.#offerRecord(peerId);
          this.#running?.peerUp(peerId);
        },
        onPeerDown: (peerId) => this.#running?.peerDown(peerId),
        onPeerSilent: (peerId) => this.#running?.peerSilent(peerId),
        onPeerDead: (peerId) => this.#running?.peerDead(peerId),
        onFrame: (peerId, frame) => this.#receive(peerId, frame),
        onRejected: (peerId, error) => this.#bootstrap?.rejected(peerId, error),
        onDrain: (peerId) => this.#running?.peerDrained(peerId),
      },
    );
    this.#receiver = new CopyReceiver(config.nodeId, ports.chatStore.copies, this.#mesh, ports);
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
   * Resolves when the node belongs to a cluster and serves (perhaps without a leader yet): on the first
   * start not before all configured nodes have been seen. Rejects with a StartupError or a storage error
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
    this.#bootstrap = new Bootstrap(this.#config, identity, this.#ports, {
      onMember: (record) => {
        this.#run(record, state).then(startup.resolve, startup.reject);
      },
      onFatal: (error) => {
        startup.reject(error);
        this.#fatal(error);
      },
    });
    await this.#bootstrap.begin();
    if (!this.#stopped) this.#mesh.dialAll();
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
    this.#mesh.close();
    try {
      await this.#ports.chatStore.close();
    } finally {
      await this.#ports.logStore.close();
    }
  }

  async #run(record: BootstrapRecord, log: LogState): Promise<void> {
    const initial: ConfState = {
      ...EMPTY_CONF_STATE,
      voters: record.members.map((member) => member.raftId).sort((a, b) => a - b),
    };
    // With a log that is not whole, an empty chat file is not the beginning of everything.
    const isWhole = log.compactedIndex === 0;
    const chat = await this.#ports.chatStore.open(isWhole ? initial : undefined);
    const applied = chat.admission.appliedIndex;
    if (applied < log.compactedIndex) {
      const installed = await this.#fetchState(log);
      if (this.#stopped) return;
      await this.#serve(record, installed.log, installed.chat, initial);
      return;
    }
    if (applied > log.lastIndex) {
      throw new StartupError(
        `The chat file has revision ${applied} but the log ends at ${log.lastIndex}: the log lost acknowledged ` +
          "entries. This node counts as wiped and may not vote; restore its files or take it out of the cluster.",
      );
    }
    await this.#serve(record, log, chat, initial);
  }

  /** Waits, as a node without a chat state, for a copy of a peer's. */
  async #fetchState(log: LogState): Promise<InstalledCopy> {
    const commit = Math.max(log.compactedIndex, Math.min(log.hardState.commit, log.lastIndex));
    const cache = await this.#loadCache(log, EMPTY_CONF_STATE, commit);
    const { promise, reject } = Promise.withResolvers<never>();
    this.#startup?.promise.catch(reject);
    this.#stateless = new StatelessNode(
      this.#config,
      this.#ports,
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
      snapshot: () => this.#running?.copies.shelf.snapshot() ?? "unavailable",
    });
  }

  async #serve(
    record: BootstrapRecord,
    log: LogState,
    chat: ChatStoreState,
    initial: ConfState,
  ): Promise<void> {
    const applied = chat.admission.appliedIndex;
    const cache = await this.#loadCache(log, chat.confState ?? initial, applied);
    if (this.#stopped) return;
    const admission = new Admission();
    admission.load(chat.admission);
    this.#running = new RunningNode(
      this.#config,
      this.#ports,
      record,
      this.#mesh,
      cache,
      admission,
      applied,
      (error) => this.#fatal(error),
    );
    this.#receiver.serve(this.#running.copies);
    this.#running.start();
    for (const peerId of this.#mesh.peerIds) this.#offerRecord(peerId);
  }

  #receive(peerId: number, frame: PeerFrame): void {
    if (frame.bootstrap !== undefined && this.#running === undefined) {
      this.#bootstrap?.offered(frame.bootstrap).catch((error: unknown) => this.#fatal(error));
    }
    this.#stateless?.receive(peerId, frame);
    this.#running?.receive(peerId, frame);
  }

  #offerRecord(peerId: number): void {
    const bootstrap = this.#bootstrap;
    if (bootstrap?.record === undefined || !bootstrap.needsRecord(peerId)) return;
    this.#mesh.queue(peerId, "bootstrap", BootstrapRecordCodec.encode(bootstrap.record).finish());
    this.#mesh.flush(() => {});
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
    this.#mesh.close();
    this.#ports.onFatal(error);
  }
}

function stoppedEarly(): StartupError {
  return new StartupError("stopped before the node belonged to a cluster");
}
