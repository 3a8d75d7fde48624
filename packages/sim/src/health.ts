// Which users could have been served, and since when: the premise of P6 and P7. A cluster owes an
// answer only while a majority of its nodes runs, reaches one another, and is reached by the user.
import type { Membership } from "@parley/node";
import type { ClientHost } from "./client-host.ts";
import type { Server } from "./server.ts";
import type { Network } from "./world/network.ts";

export class Health {
  readonly #servers: readonly Server[];
  readonly #clients: readonly ClientHost[];
  readonly #network: Network;
  readonly #now: () => number;
  readonly #membership: () => Membership | undefined;
  readonly #notServedUs = new Map<string, number>();

  constructor(
    servers: readonly Server[],
    clients: readonly ClientHost[],
    network: Network,
    now: () => number,
    membership: () => Membership | undefined,
  ) {
    this.#servers = servers;
    this.#clients = clients;
    this.#network = network;
    this.#now = now;
    this.#membership = membership;
  }

  /** To be called often. */
  sample(): void {
    const membership = this.#membership();
    const voters = membership?.voters ?? [];
    const isStable = membership !== undefined && membership.votersOutgoing.length === 0;
    const healthy = this.#servers.filter(
      (server) =>
        voters.includes(server.raftId) &&
        server.state === "up" &&
        server.suspendedBy === undefined &&
        !server.isSlow &&
        server.logDisk.isHealthy,
    );
    const majority = Math.floor(voters.length / 2) + 1;
    const cores = healthy.filter(
      (core) =>
        healthy.filter((other) => this.#connected(core.name, other.name)).length >= majority,
    );
    for (const client of this.#clients) {
      // Whichever node the client has found may be the one that is cut off: all of them must do.
      const served =
        isStable &&
        // Witnesses alone serve nobody, and have nothing for who lost the chat.
        cores.some((core) => !core.isWitness && !core.chatFileLost) &&
        this.#servers.every(
          (server) => !server.isUp || this.#connected(client.name, server.name),
        ) &&
        healthy.every((server) => cores.includes(server));
      if (!served) this.#notServedUs.set(client.name, this.#now());
    }
  }

  /** Since when this client could have been served, without a break. */
  servedSinceUs(client: string): number {
    return this.#notServedUs.get(client) ?? 0;
  }

  #connected(a: string, b: string): boolean {
    return a === b || (!this.#network.isCut(a, b) && !this.#network.isCut(b, a));
  }
}
