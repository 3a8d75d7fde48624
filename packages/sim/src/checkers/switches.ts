// What can be on or off, by name, at each revision: whether an account hides how far it has read, or has blocked another one.
import type { AdmissionChange } from "@parley/chat";

interface Turn {
  readonly revision: number;
  readonly isOn: boolean;
}

/** All is off at first. */
export class Switches {
  /** Ascending. */
  readonly #turns = new Map<string, Turn[]>();

  /** `revision`: no older one than any before of this name. */
  turn(name: string, revision: number, isOn: boolean): void {
    const turns = this.#turns.get(name) ?? [];
    if (turns.at(-1)?.isOn !== isOn) turns.push({ revision, isOn });
    this.#turns.set(name, turns);
  }

  /** In the state of that revision. */
  isOnAt(name: string, revision: number): boolean {
    const turns = this.#turns.get(name) ?? [];
    return turns.findLast((turn) => turn.revision <= revision)?.isOn === true;
  }

  /** In the state of that revision and in every later one. */
  isOnSince(name: string, revision: number): boolean {
    const later = (this.#turns.get(name) ?? []).filter((turn) => turn.revision > revision);
    return this.isOnAt(name, revision) && later.every(({ isOn }) => isOn);
  }
}

/** Who has blocked whom. */
export class Blocks {
  readonly #switches = new Switches();
  /** Whom an account has ever blocked. */
  readonly #ever = new Map<number, Set<number>>();

  onChange(change: AdmissionChange, revision: number): void {
    if (change.kind !== "blocked") return;
    const ever = this.#ever.get(change.accountId) ?? new Set<number>();
    for (const id of change.blockedIds) ever.add(id);
    this.#ever.set(change.accountId, ever);
    for (const id of ever) {
      const isOn = change.blockedIds.includes(id);
      this.#switches.turn(pair(change.accountId, id), revision, isOn);
    }
  }

  /** Which of the two has blocked the other in the state of that revision; undefined: neither. */
  at(revision: number, oneId: number, otherId: number): string | undefined {
    return pairs(oneId, otherId).find((name) => this.#switches.isOnAt(name, revision));
  }

  /** Which of the two has blocked the other in the state of that revision and in every later one; undefined: neither. */
  since(revision: number, oneId: number, otherId: number): string | undefined {
    return pairs(oneId, otherId).find((name) => this.#switches.isOnSince(name, revision));
  }
}

function pairs(oneId: number, otherId: number): readonly string[] {
  return [pair(oneId, otherId), pair(otherId, oneId)];
}

function pair(accountId: number, otherId: number): string {
  return `account ${accountId} has blocked ${otherId}`;
}
