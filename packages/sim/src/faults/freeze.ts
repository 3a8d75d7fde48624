// What a node outside the healed quorum is left in, for good: the cluster must do without it, and must
// not be held up by what it still does (P6).
import type { Server } from "../server.ts";
import type { Network } from "../world/network.ts";
import type { Prng } from "../world/prng.ts";

const KINDS = ["crashed", "cut off", "half cut off", "stopped", "slow", "disk stalled"] as const;
export type FrozenAs = (typeof KINDS)[number];

/** Longer than any world lives. */
const FOR_EVER_US = 1e15;

export interface FreezeContext {
  readonly random: Prng;
  readonly network: Network;
  readonly others: readonly Server[];
  readonly clients: readonly { readonly name: string }[];
}

/** `server` may be down: then it stays down. */
export function freeze(server: Server, world: FreezeContext): FrozenAs {
  const { random } = world;
  const kind = server.isUp ? random.pick(KINDS) : "crashed";
  switch (kind) {
    case "crashed":
      server.crash(random.chance(0.5) ? "kill" : "power-cut");
      break;
    case "cut off":
      cutOff(server, world, ["to", "from"]);
      break;
    case "half cut off":
      cutOff(server, world, [random.chance(0.5) ? "to" : "from"]);
      break;
    case "stopped":
      server.pause(random.chance(0.5) ? "pause" : "suspend");
      break;
    case "slow":
      server.process?.slowDown(random.between(500, 5_000));
      break;
    case "disk stalled":
      server.logDisk.stall(FOR_EVER_US);
      break;
    default:
      kind satisfies never;
  }
  return kind;
}

function cutOff(server: Server, world: FreezeContext, ways: readonly ("to" | "from")[]): void {
  const { random, network } = world;
  // Users may still reach it: it must send them on.
  const clients = world.clients.filter(() => random.chance(0.3));
  for (const other of [...world.others, ...clients]) {
    if (ways.includes("to")) network.setCut(server.name, other.name, true);
    if (ways.includes("from")) network.setCut(other.name, server.name, true);
  }
}
