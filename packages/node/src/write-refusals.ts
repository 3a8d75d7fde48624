// Why a node takes no writes now: it is stopping or far behind, or the leader's disk or log is full.
import { ParleyError } from "@parley/protocol";
import type { DiskWatch } from "./disk-watch.ts";
import type { Roster } from "./membership/roster.ts";
import type { ProgressWatch } from "./progress-watch.ts";
import type { Driver } from "./replication/driver.ts";
import type { LogCompaction } from "./replication/log-compaction.ts";

export class WriteRefusals {
  readonly #roster: Roster;
  readonly #driver: Driver;
  readonly #disk: DiskWatch;
  readonly #progress: ProgressWatch;
  readonly #compaction: LogCompaction;
  readonly #isStopping: () => boolean;

  constructor(
    roster: Roster,
    driver: Driver,
    disk: DiskWatch,
    progress: ProgressWatch,
    compaction: LogCompaction,
    isStopping: () => boolean,
  ) {
    this.#roster = roster;
    this.#driver = driver;
    this.#disk = disk;
    this.#progress = progress;
    this.#compaction = compaction;
    this.#isStopping = isStopping;
  }

  /** Of this node's clients. */
  forClients(): ParleyError | undefined {
    if (this.#isStopping()) {
      return new ParleyError("SHUTTING_DOWN", "this node is stopping", { retryAfterMs: 20 });
    }
    if (this.#progress.isStuck) return catchingUp();
    return this.#fullDisk() ?? this.#fullLog();
  }

  /** Of this leader's peers: theirs can wait for the next leader. */
  forPeers(): ParleyError | undefined {
    if (this.#isStopping()) return new ParleyError("NOT_LEADER", "this leader is stopping");
    if (this.#roster.isWitness(this.#roster.raftId)) {
      return new ParleyError("NOT_LEADER", "a witness leads until a data node is up to date");
    }
    return this.#fullDisk() ?? this.#fullLog();
  }

  /**
   * Only the leader's disk counts: what it takes comes to every disk, whichever node was asked, and a
   * majority needs no more than a majority of disks (P6).
   */
  #fullDisk(): ParleyError | undefined {
    return this.#disk.isLow && this.#isLeader ? diskFull() : undefined;
  }

  #fullLog(): ParleyError | undefined {
    return this.#isLeader && this.#compaction.isFull ? witnessLogFull(this.#laggards()) : undefined;
  }

  get #isLeader(): boolean {
    return this.#driver.raft.state === "StateLeader";
  }

  /** Data nodes that vote and don't have the log yet up to where it could be truncated, by node id. */
  #laggards(): readonly number[] {
    const { progress, config } = this.#driver.raft.status();
    const voters = [...new Set([...config.voters, ...config.votersOutgoing])];
    return voters
      .filter((id) => !this.#roster.isWitness(id))
      .filter((id) => (progress.get(id)?.match ?? 0) <= this.#driver.dataFloor)
      .map((id) => this.#roster.nodeIdOf(id));
  }
}

function catchingUp(): ParleyError {
  return new ParleyError("NOT_READY", "this node is far behind and catches up; ask another one", {
    retryAfterMs: 100,
  });
}

function witnessLogFull(nodeIds: readonly number[]): ParleyError {
  const who = nodeIds.length === 0 ? "a data node" : `node ${nodeIds.join(" and node ")}`;
  return new ParleyError(
    "WITNESS_LOG_FULL",
    `The log is kept for ${who}, which has been away for long, and is as long as it may be: start it again, or take it out ` +
      "with `parley remove-server`; until then nothing can be written.",
    { retryAfterMs: 1_000 },
  );
}

function diskFull(): ParleyError {
  return new ParleyError("DISK_FULL", "the leader's disk is nearly full", { retryAfterMs: 1_000 });
}
