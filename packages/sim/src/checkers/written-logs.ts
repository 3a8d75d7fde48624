// Each node's log as it has handed it to its disk, durable or not: the term at each index.
import type { LogWrite } from "@parley/node";
import type { Entry } from "@parley/raft";

export class WrittenLogs {
  readonly #logs = new Map<number, number[]>();

  write(nodeId: number, write: LogWrite): void {
    if (write.entries.length === 0) return;
    const log = this.#logOf(nodeId);
    for (const entry of write.entries) {
      log.length = Math.min(log.length, entry.index - 1);
      log.push(entry.term);
    }
  }

  /** What the disk holds after a restart, or after a copy was installed. */
  replace(nodeId: number, log: readonly Entry[]): void {
    this.#logs.set(
      nodeId,
      log.map((entry) => entry.term),
    );
  }

  /** Undefined where the log has no entry. */
  termAt(nodeId: number, index: number): number | undefined {
    return this.#logs.get(nodeId)?.[index - 1];
  }

  /** 0 where there is no log. */
  lastIndex(nodeId: number): number {
    return this.#logs.get(nodeId)?.length ?? 0;
  }

  #logOf(nodeId: number): number[] {
    let log = this.#logs.get(nodeId);
    if (log === undefined) {
      log = [];
      this.#logs.set(nodeId, log);
    }
    return log;
  }
}
