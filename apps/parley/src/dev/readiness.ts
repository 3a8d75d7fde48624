// When a dev cluster is up: its nodes agree on a leader that has a majority.
import type { TlsOptions } from "@parley/client/grpc";
import { askStatus } from "../cli/cluster-client.ts";

const POLL_EVERY_MS = 100;
const ASK_TIMEOUT_MS = 1_000;

export interface Ready {
  readonly leaderId: number;
  readonly term: number;
}

async function leaderSeenBy(
  address: string,
  tls: TlsOptions | undefined,
): Promise<Ready | undefined> {
  try {
    const status = await askStatus(address, { timeoutMs: ASK_TIMEOUT_MS, tls });
    if (status.leaderId === 0 || !status.hasQuorum) return undefined;
    return { leaderId: status.leaderId, term: status.term };
  } catch {
    return undefined;
  }
}

/**
 * Resolves when every node that `addresses` lists names the same leader and is in touch with a majority;
 * undefined when `isOver` says that it is no use.
 */
export async function waitUntilReady(
  addresses: () => readonly string[],
  isOver: () => boolean,
  tls?: TlsOptions,
): Promise<Ready | undefined> {
  while (!isOver()) {
    const seen = await Promise.all(addresses().map((address) => leaderSeenBy(address, tls)));
    const first = seen[0];
    if (first !== undefined && seen.every((one) => one?.leaderId === first.leaderId)) return first;
    await new Promise((resolve) => setTimeout(resolve, POLL_EVERY_MS));
  }
  return undefined;
}
