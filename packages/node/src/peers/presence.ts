// Who is online, by gossip between the nodes: ephemeral, never in the log. Each node says which
// accounts have a session on it; a node that is gone for a while takes its accounts with it.
import type { PresenceReport } from "@parley/protocol";
import type { PresenceListener } from "../replica.ts";

/** Accounts that are believed to be on one other node; far more than it has sessions for (P11). */
const ACCOUNTS_PER_PEER_MAX = 200_000;

export class Presence {
  readonly #local = new Set<number>();
  readonly #remote = new Map<number, Set<number>>();
  #cameOnline = new Set<number>();
  #wentOffline = new Set<number>();
  readonly #listeners: PresenceListener[] = [];

  /** Told of whoever has come or gone somewhere; they may be there still, or have been before, on another node. */
  onChanged(listener: PresenceListener): void {
    this.#listeners.push(listener);
  }

  setLocal(accountId: number, online: boolean): void {
    if (online === this.#local.has(accountId)) return;
    if (online) {
      this.#local.add(accountId);
      this.#wentOffline.delete(accountId);
      this.#cameOnline.add(accountId);
    } else {
      this.#local.delete(accountId);
      this.#cameOnline.delete(accountId);
      this.#wentOffline.add(accountId);
    }
    this.#tell([accountId]);
  }

  isOnline(accountId: number): boolean {
    if (this.#local.has(accountId)) return true;
    for (const accounts of this.#remote.values()) if (accounts.has(accountId)) return true;
    return false;
  }

  /** Everything, for a peer that has just connected: as many accounts as have sessions on this node. */
  full(): PresenceReport {
    return { full: true, onlineAccountIds: [...this.#local], offlineAccountIds: [] };
  }

  /** What changed since the last call, for all peers; undefined = nothing. */
  takeChanges(): PresenceReport | undefined {
    if (this.#cameOnline.size === 0 && this.#wentOffline.size === 0) return undefined;
    const report = {
      full: false,
      onlineAccountIds: [...this.#cameOnline],
      offlineAccountIds: [...this.#wentOffline],
    };
    this.#cameOnline = new Set();
    this.#wentOffline = new Set();
    return report;
  }

  take(peerId: number, report: PresenceReport): void {
    const before = this.#remote.get(peerId) ?? new Set();
    const accounts = report.full ? new Set<number>() : before;
    for (const id of report.offlineAccountIds) accounts.delete(id);
    for (const id of report.onlineAccountIds) {
      if (accounts.size >= ACCOUNTS_PER_PEER_MAX) break;
      accounts.add(id);
    }
    this.#remote.set(peerId, accounts);
    this.#tell(report.offlineAccountIds);
    this.#tell(report.onlineAccountIds);
    if (report.full) this.#tell(before);
  }

  forget(peerId: number): void {
    const gone = this.#remote.get(peerId);
    this.#remote.delete(peerId);
    if (gone !== undefined) this.#tell(gone);
  }

  #tell(accountIds: Iterable<number>): void {
    for (const accountId of accountIds) {
      for (const listener of this.#listeners) listener(accountId);
    }
  }
}
