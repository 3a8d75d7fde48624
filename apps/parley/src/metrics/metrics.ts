// The node's numbers as Prometheus reads them. Everything is gathered when it is asked for, but the
// syncs of the log, which are counted as they happen. No label names an account or a room (P11).

import type { NodeMetrics } from "@parley/node";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { VERSION } from "../version.ts";
import { type DiskUse, diskUse } from "./disk-use.ts";

export interface MetricsSources {
  readonly nodeId: number;
  readonly dbPath: string;
  /** Undefined until the node belongs to a cluster. */
  readonly node: () => NodeMetrics | undefined;
  readonly connections: () => number;
  /** Undefined without TLS. */
  readonly certificateExpiresAtMs: () => number | undefined;
}

/** From an SSD with a cache of its own to a disk that makes a leader give up. */
const SYNC_BUCKETS_SECONDS = [
  0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 4,
];
/** How finely the stalls of the loop are measured; finer costs more timers. */
const LOOP_RESOLUTION_MS = 20;

/** One number of the node, or one for each label. */
interface NodeGauge {
  readonly name: string;
  readonly help: string;
  readonly value: (node: NodeMetrics) => number;
}

const seconds = (ms: number) => ms / 1_000;

const GAUGES: readonly NodeGauge[] = [
  { name: "leader", help: "1 while this node leads", value: (node) => (node.isLeader ? 1 : 0) },
  {
    name: "leader_id",
    help: "The node that leads as this node knows it; 0 = none",
    value: (node) => node.leaderId,
  },
  { name: "term", help: "The consensus term", value: (node) => node.term },
  { name: "commit_index", help: "Highest committed index", value: (node) => node.commitIndex },
  { name: "applied_index", help: "Highest applied index", value: (node) => node.appliedIndex },
  {
    name: "quorum",
    help: "1 while this node is in touch with a majority",
    value: (node) => (node.hasQuorum ? 1 : 0),
  },
  {
    name: "stale_seconds",
    help: "Age of this node's data when there is no majority",
    value: (node) => seconds(node.staleMs),
  },
  { name: "sessions", help: "Session streams of clients", value: (node) => node.sessions },
  { name: "event_streams", help: "Subscribe streams", value: (node) => node.eventStreams },
  {
    name: "subscribers",
    help: "Receivers of live events, of sessions and streams together",
    value: (node) => node.subscribers,
  },
  {
    name: "disk_stall_seconds",
    help: "How long the oldest write to the log has waited for the disk",
    value: (node) => seconds(node.diskStallMs),
  },
];

const COUNTERS: readonly NodeGauge[] = [
  {
    name: "leaders_seen_total",
    help: "Leaders that this node has followed or been since it started; each took an election",
    value: (node) => node.leadersSeen,
  },
  {
    name: "loop_stalls_total",
    help: "Stalls of the loop that were longer than a tick of the core's clock",
    value: (node) => node.stalls,
  },
  {
    name: "forwards_total",
    help: "Writes of this node's clients that were sent to the leader's node",
    value: (node) => node.forwarded,
  },
  {
    name: "forwards_answered_total",
    help: "Writes of other nodes' clients that came here",
    value: (node) => node.forwardsAnswered,
  },
  {
    name: "proposals_replaced_total",
    help: "Writes that had to be placed in the log again",
    value: (node) => node.replaced,
  },
  {
    name: "copies_made_total",
    help: "Copies of the chat file that were made here",
    value: (node) => node.copiesMade,
  },
  {
    name: "copies_sent_total",
    help: "Copies of the chat file that were sent whole to other members",
    value: (node) => node.copiesSent,
  },
  {
    name: "copies_installed_total",
    help: "Copies of the chat file that this node took from others",
    value: (node) => node.copiesInstalled,
  },
  {
    name: "log_compactions_total",
    help: "Times at which the log was made shorter",
    value: (node) => node.compactions,
  },
];

export class Metrics {
  readonly #sources: MetricsSources;
  readonly #registry = new Registry();
  readonly #gauges = new Map<string, Gauge>();
  readonly #counters = new Map<string, Counter>();
  readonly #sync: Histogram;

  constructor(sources: MetricsSources) {
    this.#sources = sources;
    collectDefaultMetrics({
      register: this.#registry,
      eventLoopMonitoringPrecision: LOOP_RESOLUTION_MS,
    });
    this.#sync = new Histogram({
      name: "parley_log_sync_seconds",
      help: "Time that a group of log entries took to reach the disk, sync included",
      buckets: SYNC_BUCKETS_SECONDS,
      registers: [this.#registry],
    });
    for (const { name, help } of GAUGES) this.#gauge(name, help);
    for (const { name, help } of COUNTERS) this.#counter(name, help);
    this.#gauge("member_lag_entries", "Entries behind the leader's commit index", "member");
    this.#gauge("member_last_contact_seconds", "Since this node heard of the member", "member");
    this.#gauge("member_healthy", "1 while the member is in contact and keeps up", "member");
    this.#gauge("queue_depth", "What waits on this node, of each kind", "queue");
    this.#counter("refusals_total", "Requests that were refused or failed, by reason", "reason");
    this.#gauge("connections", "Open gRPC connections of clients and peers");
    this.#gauge("disk_free_bytes", "Room on the disk of the data");
    this.#gauge("file_bytes", "Size of the node's files, of each kind", "file");
    this.#gauge(
      "certificate_expiry_timestamp_seconds",
      "When the node's certificate expires, in Unix time; absent without TLS",
    );
    const info = this.#gauge("build_info", "1, with the versions as labels", "version", "node");
    info.set({ version: VERSION, node: process.versions.node }, 1);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** A group of entries has reached the disk. */
  synced(syncMs: number): void {
    this.#sync.observe(seconds(syncMs));
  }

  /** The exposition as of now. */
  async text(): Promise<string> {
    this.#takeDisk(await diskUse(this.#sources.dbPath));
    const expiresAtMs = this.#sources.certificateExpiresAtMs();
    if (expiresAtMs === undefined) this.#remove("certificate_expiry_timestamp_seconds");
    else this.#set("certificate_expiry_timestamp_seconds", seconds(expiresAtMs));
    this.#set("connections", this.#sources.connections());
    const node = this.#sources.node();
    if (node !== undefined) this.#takeNode(node);
    return await this.#registry.metrics();
  }

  close(): void {
    this.#registry.clear();
  }

  #takeNode(node: NodeMetrics): void {
    for (const { name, value } of GAUGES) this.#set(name, value(node));
    for (const { name, value } of COUNTERS) {
      const counter = this.#counters.get(name);
      counter?.reset();
      counter?.inc(value(node));
    }
    // Members and reasons come and go: what is not there any more must not stay for ever.
    for (const name of ["member_lag_entries", "member_last_contact_seconds", "member_healthy"]) {
      this.#gauges.get(name)?.reset();
    }
    for (const { id, lag, lastContactMs, healthy } of node.members) {
      const member = { member: String(id) };
      this.#gauges.get("member_lag_entries")?.set(member, lag);
      this.#gauges.get("member_last_contact_seconds")?.set(member, seconds(lastContactMs));
      this.#gauges.get("member_healthy")?.set(member, healthy ? 1 : 0);
    }
    const queues = {
      proposals: node.proposals,
      writes: node.pendingWrites,
      reads: node.pendingReads,
    };
    for (const [queue, depth] of Object.entries(queues)) {
      this.#gauges.get("queue_depth")?.set({ queue }, depth);
    }
    const refusals = this.#counters.get("refusals_total");
    refusals?.reset();
    for (const [reason, count] of node.refusals) refusals?.inc({ reason }, count);
  }

  #takeDisk({ freeBytes, files }: DiskUse): void {
    this.#set("disk_free_bytes", freeBytes);
    for (const [file, bytes] of Object.entries(files)) {
      this.#gauges.get("file_bytes")?.set({ file }, bytes);
    }
  }

  #set(name: string, value: number): void {
    this.#gauges.get(name)?.set(value);
  }

  /** A gauge without labels that has no value now. */
  #remove(name: string): void {
    this.#gauges.get(name)?.remove();
  }

  #gauge(name: string, help: string, ...labelNames: string[]): Gauge {
    const registers = [this.#registry];
    const gauge = new Gauge({ name: `parley_${name}`, help, labelNames, registers });
    this.#gauges.set(name, gauge);
    return gauge;
  }

  #counter(name: string, help: string, ...labelNames: string[]): void {
    const registers = [this.#registry];
    this.#counters.set(name, new Counter({ name: `parley_${name}`, help, labelNames, registers }));
  }
}
