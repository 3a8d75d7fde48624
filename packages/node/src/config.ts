// What a node is told at its start. Validated by whoever reads it from a file.

export interface ConfiguredNode {
  /** As in the configuration; ≥ 1, unique. */
  readonly id: number;
  /** host:port of gRPC (peers and clients). */
  readonly address: string;
  /** host:port of HTTP; empty = none. */
  readonly httpAddress: string;
  /** It votes and keeps the log, has no chat state and serves no clients. Left out: it has, and does. */
  readonly isWitness?: boolean;
}

export interface NodeTuning {
  /** The core's tick, in milliseconds of elapsed time. */
  readonly tickMs: number;
  /** A leader's heartbeat, in ticks. */
  readonly heartbeatTicks: number;
  /** The least election timeout, in ticks; randomised up to twice of it. */
  readonly electionTicks: number;
  /** Upper bound of the pause before the pre-campaign that a death notice starts (P7). */
  readonly deathNoticeDelayMsMax: number;
  /** Writes that wait for their result on this node at the most; more are refused (P11). */
  readonly pendingWritesMax: number;
  /** Reads under way at the most. */
  readonly pendingReadsMax: number;
  /** Bytes of log entries kept in memory for followers; older ones are read from disk. */
  readonly logCacheBytesMax: number;
  /** Sends of one account: sustained rate and burst. */
  readonly sendsPerSecond: number;
  readonly sendsBurst: number;
  /** Failed logins of one account or address before a pause, and the length of the pause. */
  readonly loginFailuresMax: number;
  readonly loginPauseMs: number;
  readonly sessionsMax: number;
  readonly tokenTtlMs: number;
  /** The log is compacted when it has more entries, or takes more bytes on disk, than this. */
  readonly logEntriesMax: number;
  readonly logBytesMax: number;
  /**
   * With witnesses the log is kept for data nodes that are away, up to so many bytes on the leader's disk; then writes are refused
   * until the log is shorter (P11).
   */
  readonly witnessLogBytesMax: number;
  /** Entries that compaction leaves for followers that are a little behind. */
  readonly logTailEntries: number;
  /** Bytes per second at which copies of the chat file leave this node, all together. */
  readonly copyBytesPerSecond: number;
  /** Bytes of one chunk of a copy; at most COPY_CHUNK_BYTES_MAX. */
  readonly copyChunkBytes: number;
  /** A copy that nobody has used for this long is removed. */
  readonly copyIdleMs: number;
  /** Writes are refused and leadership is handed over below this much free disk. */
  readonly diskReserveBytes: number;
  /** A spare learner takes the place of a voter that nothing was heard of for so long; 0 = never. */
  readonly autopilotDeadMs: number;
  /** With fewer voters than this nobody is replaced. */
  readonly autopilotVotersMin: number;
}

export const DEFAULT_TUNING: NodeTuning = {
  tickMs: 10,
  heartbeatTicks: 5,
  electionTicks: 30,
  deathNoticeDelayMsMax: 50,
  pendingWritesMax: 16_384,
  pendingReadsMax: 4_096,
  logCacheBytesMax: 64 * 1024 * 1024,
  sendsPerSecond: 5_000,
  sendsBurst: 10_000,
  loginFailuresMax: 10,
  loginPauseMs: 30_000,
  sessionsMax: 20_000,
  tokenTtlMs: 30 * 24 * 60 * 60 * 1000,
  logEntriesMax: 100_000,
  logBytesMax: 256 * 1024 * 1024,
  witnessLogBytesMax: 1024 * 1024 * 1024,
  logTailEntries: 10_000,
  copyBytesPerSecond: 32 * 1024 * 1024,
  copyChunkBytes: 256 * 1024,
  copyIdleMs: 60_000,
  diskReserveBytes: 32 * 1024 * 1024,
  autopilotDeadMs: 0,
  autopilotVotersMin: 3,
};

export interface NodeConfig {
  readonly nodeId: number;
  /** The first members of the cluster, which make it together. A node that joins lists itself, or nobody. */
  readonly nodes: readonly ConfiguredNode[];
  /** Addresses of members of the cluster that this node joins; empty = it is one of the first. */
  readonly join: readonly string[];
  /** How much this node is preferred as leader; 0 = not more than others. */
  readonly priority?: number;
  /** This node itself is a witness; as its entry in `nodes` says, where it has one. */
  readonly isWitness?: boolean;
  readonly tuning: NodeTuning;
  /** The newest state version that this program's chat knows. Left out: `STATE_VERSION` of @parley/chat. */
  readonly stateVersion?: number;
  /**
   * Other machines can reach this server (P10): Status and StateHash need a login, and until the instance's owner has chosen who may
   * register, that takes an invite.
   */
  readonly statusRequiresLogin: boolean;
  /**
   * SHA-256 of the token that the first account needs, where other machines can reach the instance (P10). Counts when this node
   * makes the cluster; from then on the bootstrap record says it, the same to every node. Left out: none is needed.
   */
  readonly setupTokenHash?: Uint8Array | undefined;
  /** SHA-256 of the token that makes an operator of whoever shows it over loopback. Left out: there is none. */
  readonly operatorTokenHash?: Uint8Array | undefined;
}
