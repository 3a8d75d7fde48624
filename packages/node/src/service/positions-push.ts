// How far the members' disks are, for the ticks beside messages: a frame for everybody when it has
// changed, a few times a second at most, instead of one for every message ("Failure" of the GUI design).
import type { Positions } from "@parley/protocol";
import type { Clock, Timer } from "../ports.ts";

/** Between two pushes; longer when there are very many sessions. */
export const PUSH_MS_MIN = 250;
const PUSH_MS_PER_SESSION = 0.5;
/** While a member lags and nothing moves, it is looked at this often. */
export const LAG_MS = 1_000;

export interface PositionsPushOptions {
  readonly clock: Clock;
  readonly positions: () => Positions;
  /** How many there are to tell. */
  readonly sessions: () => number;
  readonly push: (positions: Positions) => void;
}

export class PositionsPush {
  readonly #options: PositionsPushOptions;
  #timer: Timer | undefined;
  #pushed: Positions = { nodes: [] };

  constructor(options: PositionsPushOptions) {
    this.#options = options;
  }

  /** Somebody is here who knows nothing yet. */
  joined(): void {
    this.#pushed = { nodes: [] };
    this.#arm(PUSH_MS_MIN);
  }

  /** Something was applied: others have it on disk, or will. */
  moved(): void {
    this.#arm(PUSH_MS_MIN);
  }

  #arm(delayMs: number): void {
    const sessions = this.#options.sessions();
    if (this.#timer !== undefined || sessions === 0) return;
    const leastMs = Math.max(delayMs, sessions * PUSH_MS_PER_SESSION);
    this.#timer = this.#options.clock.after(leastMs, () => {
      this.#timer = undefined;
      this.#look();
    });
  }

  #look(): void {
    if (this.#options.sessions() === 0) return;
    const positions = this.#options.positions();
    const changed = !samePositions(positions, this.#pushed);
    if (changed) {
      this.#pushed = positions;
      this.#options.push(positions);
    }
    if (changed) this.#arm(PUSH_MS_MIN);
    else if (lags(positions)) this.#arm(LAG_MS);
  }
}

function samePositions(one: Positions, other: Positions): boolean {
  if (one.nodes.length !== other.nodes.length) return false;
  return one.nodes.every(({ nodeId, revision }, at) => {
    const twin = other.nodes[at];
    return twin?.nodeId === nodeId && twin.revision === revision;
  });
}

/** A member that is behind another will move without anything being applied here. */
function lags({ nodes }: Positions): boolean {
  return new Set(nodes.map(({ revision }) => revision)).size > 1;
}
