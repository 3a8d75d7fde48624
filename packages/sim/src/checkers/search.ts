// Search is exact: what it finds is all, and nothing but, what the searcher may see of what fits, as of the revision of the answer. The
// expected answer comes from the events and membership changes of the entries that were applied, kept for every revision.
import type { AppliedBatch, AppliedEntry } from "@parley/chat";
import { Event, type Message } from "@parley/protocol";
import type { Checker, Operation, Outcome, Report } from "../observer.ts";

const PROPERTY = "search";

/** What somebody searches for: all of these words, of this author. */
export interface Sought {
  /** As they stand in the query, in lower case. */
  readonly words: readonly string[];
  /** 0 = of anybody. */
  readonly authorId: number;
  /** Hits that are asked for at the most. */
  readonly pageSize: number;
}

/** A message, and the words of its body in lower case. */
interface Searched extends Message {
  readonly words: ReadonlySet<string>;
}

interface Since<T> {
  readonly revision: number;
  readonly value: T;
}

/** The value as of a revision; the list ascends. */
function asOf<T>(list: readonly Since<T>[], revision: number): T | undefined {
  return list.findLast((one) => one.revision <= revision)?.value;
}

export class Search implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  #appliedIndex = 0;
  /** By id, in ascending order: each message's states. */
  readonly #messages = new Map<number, Since<Searched>[]>();
  /** By room, then account: whether it was a member. */
  readonly #members = new Map<number, Map<number, Since<boolean>[]>>();
  readonly #deletedRooms = new Map<number, number>();
  /** Answers that had hits in them. */
  withHits = 0;
  /** Searches that did not find messages which fit, because they may not be seen or were deleted. */
  withHidden = 0;

  constructor(report: Report) {
    this.#report = report;
  }

  onApplied(_nodeId: number, batch: AppliedBatch): void {
    for (const entry of batch.entries) {
      // Each node applies it; the first one counts, and State Machine Safety compares the others.
      if (entry.index !== this.#appliedIndex + 1) continue;
      this.#appliedIndex = entry.index;
      this.#follow(entry);
    }
  }

  onOutcome({ client, accountId, kind }: Operation, outcome: Outcome): void {
    if (kind.kind !== "search" || outcome.kind !== "read") return;
    const { revision } = outcome;
    if (revision > this.#appliedIndex) {
      this.#fail(client, kind.query, `answers revision ${revision}, which nobody has applied`);
      return;
    }
    const due: Message[] = [];
    let hidden = 0;
    for (const states of [...this.#messages.values()].reverse()) {
      const message = asOf(states, revision);
      const first = states[0]?.value;
      if (message === undefined || first === undefined || !fits(first, kind.sought)) {
        if (message === undefined || message.deleted || !fits(message, kind.sought)) continue;
      }
      const isSeen = this.#maySee(accountId, message.roomId, revision);
      if (isSeen && !message.deleted && fits(message, kind.sought)) due.push(message);
      else hidden += 1;
    }
    if (outcome.messages.length > 0) this.withHits += 1;
    if (hidden > 0) this.withHidden += 1;
    const found = outcome.messages.map(shown);
    const expected = due.slice(0, kind.sought.pageSize).map(shown);
    if (found.join("\n") === expected.join("\n")) return;
    const surplus = found.filter((one) => !expected.includes(one));
    const missing = expected.filter((one) => !found.includes(one));
    this.#fail(
      client,
      kind.query,
      `as of ${revision} finds ${surplus.join(", ") || "nothing more"} and lacks ${missing.join(", ") || "nothing"}, or has another order`,
    );
  }

  #follow({ index, changes, deliveries }: AppliedEntry): void {
    for (const change of changes) {
      if (change.kind === "member" || change.kind === "member-removed") {
        const accounts = getOrMake(this.#members, change.roomId, () => new Map());
        const states = getOrMake(accounts, change.accountId, (): Since<boolean>[] => []);
        states.push({ revision: index, value: change.kind === "member" });
      } else if (change.kind === "room" && change.deleted) {
        this.#deletedRooms.set(change.roomId, index);
      }
    }
    for (const { event: bytes } of deliveries) {
      const { event } = Event.decode(bytes);
      if (event?.$case !== "message" && event?.$case !== "messageChanged") continue;
      const states = getOrMake(this.#messages, event.value.id, (): Since<Searched>[] => []);
      const words = new Set(event.value.body.toLowerCase().split(/[^\p{L}\p{N}]+/u));
      states.push({ revision: index, value: { ...event.value, words } });
    }
  }

  #maySee(accountId: number, roomId: number, revision: number): boolean {
    if ((this.#deletedRooms.get(roomId) ?? Number.POSITIVE_INFINITY) <= revision) return false;
    const states = this.#members.get(roomId)?.get(accountId) ?? [];
    return asOf(states, revision) === true;
  }

  #fail(client: string, query: string, detail: string): void {
    this.#report({ property: PROPERTY, detail: `${client}: the search for ${query} ${detail}` });
  }
}

function fits(message: Searched, { words, authorId }: Sought): boolean {
  if (authorId !== 0 && message.authorId !== authorId) return false;
  return words.every((word) => message.words.has(word));
}

function shown({ roomId, seq, id, body, version }: Message): string {
  return `${id} (room ${roomId} seq ${seq}, version ${version}: ${body})`;
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
