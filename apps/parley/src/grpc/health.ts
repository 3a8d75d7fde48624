// grpc.health.v1.Health: SERVING while the node can serve requests.
import type { Server } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";

/** The services that are asked for by name; the empty name is the whole server. */
const SERVICES = ["", "parley.v1.Chat", "parley.v1.Cluster"] as const;

export class Health {
  readonly #implementation = new HealthImplementation(
    Object.fromEntries(SERVICES.map((name) => [name, "NOT_SERVING" as const])),
  );
  #serving = false;

  addTo(server: Server): void {
    this.#implementation.addToServer(server);
  }

  /** Watchers are told when it changes. */
  set(serving: boolean): void {
    if (serving === this.#serving) return;
    this.#serving = serving;
    for (const name of SERVICES) {
      this.#implementation.setStatus(name, serving ? "SERVING" : "NOT_SERVING");
    }
  }
}
