// What a run of seeds has exercised, counted. A run whose counters stay at zero has proved nothing
// about what they count, so the tests ask for every one of them.

export const COVERAGE = [
  "elections",
  "leader-changes",
  "operations",
  "acknowledged-sends",
  "ticks-shown",
  "retries-answered-once",
  "duplicates-submitted",
  "ids-reused-refused",
  "logins",
  "logins-refused",
  "malformed-frames-sent",
  "unknown-outcomes",
  "linearizable-reads",
  "linearizable-operations",
  "stale-reads",
  "asked-ahead-refused",
  "events-delivered",
  "resyncs",
  "state-hashes-compared",
  "catch-ups",
  "entries-replaced",
  "syncs-shared",
  "crashes",
  "unsynced-writes-lost",
  "unsynced-writes-kept",
  "torn-groups",
  "chat-files-rolled-back",
  "truncations",
  "copies-made",
  "copies-sent",
  "copies-broken-off",
  "copies-resumed",
  "copies-found-at-start",
  "copies-corrupt",
  "crashes-in-copy-make",
  "crashes-in-copy-read",
  "crashes-in-copy-receive",
  "crashes-in-copy-write",
  "crashes-in-copy-finish",
  "crashes-in-copy-install",
  "crashes-while-compacting",
  "copies-installed",
  "chat-files-lost",
  "storage-failures",
  "disk-stalls",
  "disks-damaged",
  "power-cuts",
  "pauses",
  "suspensions",
  "partitions",
  "one-way-cuts",
  "links-broken",
  "keepalive-timeouts",
  "dial-timeouts",
  "refused-dials",
  "death-notices",
  "frames-mangled",
  "garbage-frames",
  "hand-overs",
  "read-index-rounds",
  "pre-votes",
  "clock-jumps",
  "client-crashes",
  "client-outboxes-recovered",
  "quorums-healed",
  "quorums-healed-while-changing",
  "servers-added",
  "servers-promoted",
  "servers-demoted",
  "servers-removed",
  "servers-told-of-removal",
  "servers-taken-back",
  "joint-configurations",
  "leaders-removed",
  "leaders-lost-while-joint",
  "leaders-lost-with-a-change-proposed",
  "leadership-transfers",
  "leadership-to-the-preferred",
  "dead-voters-replaced",
  "disks-wiped",
  "witnesses-promoted",
  "promoted-beside-witnesses",
  "witnesses-elected",
  "witnesses-followed-by-data-nodes",
  "witnesses-refused-chat",
  "sends-on-one-data-node",
  "servers-upgraded",
  "state-versions-raised",
  "edits",
  "reactions",
  "pins",
  "replies",
  "mentions",
  "thread-replies",
  "threads-followed",
  "threads-unread",
  "presence-told",
  "people-shown-as-away",
  "typing-shown",
  "typing-of-strangers",
  "typing-between-nodes",
  "registration-modes",
  "room-preferences",
  "members-muted",
  "writes-of-muted-refused",
  "writes-of-blocked-refused",
  "file-pieces-uploaded",
  "files-sent",
  "files-read",
  "previews-read",
  "receipts-hidden",
  "receipts-told",
  "receipts-listed",
  "registrations-refused",
  "invites",
  "invites-used",
  "invites-refused",
  "password-links-used",
  "password-links-refused",
  "searches-with-hits",
  "searches-with-hidden-messages",
  "writes-refused-as-too-new",
  "changes-refused",
] as const;
export type CoverageName = (typeof COVERAGE)[number];

export class Coverage {
  readonly #counts = new Map<CoverageName, number>();

  add(name: CoverageName, count = 1): void {
    if (count !== 0) this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
  }

  get(name: CoverageName): number {
    return this.#counts.get(name) ?? 0;
  }

  merge(counts: Readonly<Record<string, number>>): void {
    for (const name of COVERAGE) this.add(name, counts[name] ?? 0);
  }

  toJSON(): Record<string, number> {
    return Object.fromEntries(COVERAGE.map((name) => [name, this.get(name)]));
  }

  missing(): readonly CoverageName[] {
    return COVERAGE.filter((name) => this.get(name) === 0);
  }

  toString(): string {
    return COVERAGE.map((name) => `  ${name.padEnd(28)} ${this.get(name)}`).join("\n");
  }
}
