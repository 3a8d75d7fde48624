// Planted bugs of the chat state, the node's service and the client SDK.
import { type Mutant, onlyFaults } from "./mutant.ts";

export const SERVICE_MUTANTS: readonly Mutant[] = [
  {
    name: "retry-applied-twice",
    what: "a repeated send is stored again",
    edits: [
      {
        file: "packages/chat/src/apply/apply-command.ts",
        search: "if (repeated !== undefined) return repeated;",
        replacement: "",
      },
      {
        file: "packages/chat/src/schema.ts",
        search: "CREATE UNIQUE INDEX messages_by_client_id",
        replacement: "CREATE INDEX messages_by_client_id",
      },
    ],
    caughtBy: ["P2 once"],
    seedsMax: 2,
  },
  {
    name: "request-executed-twice",
    what: "a repeated request is executed again",
    edits: [
      {
        file: "packages/chat/src/apply/apply-command.ts",
        search: "if (remembered !== undefined) return repeatedRequest(",
        replacement:
          "if (remembered !== undefined && context.revision < 0) return repeatedRequest(",
      },
      {
        file: "packages/chat/src/schema.ts",
        search: "CREATE UNIQUE INDEX requests_by_id",
        replacement: "CREATE INDEX requests_by_id",
      },
    ],
    caughtBy: ["P2 once"],
    seedsMax: 2,
  },
  {
    name: "closed-door-open",
    what: "what the owner says of who may register is kept, and not looked at",
    edits: [
      {
        file: "packages/chat/src/apply/accounts.ts",
        search: "switch (state.registration === 0 ? preset : state.registration) {",
        replacement: "switch (preset) {",
      },
    ],
    caughtBy: ["admission"],
    seedsMax: 12,
  },
  {
    name: "look-alikes-taken",
    what: "a username that looks like one that is taken is given away",
    edits: [
      {
        file: "packages/chat/src/apply/accounts.ts",
        search: "state.stateVersion >= LOOK_ALIKES_SINCE && state.hasLookAlike(command.username)",
        replacement: "state.stateVersion < 0",
      },
    ],
    caughtBy: ["admission"],
    seedsMax: 12,
  },
  {
    name: "invite-never-used-up",
    what: "whoever joins by an invite is not counted",
    edits: [
      {
        file: "packages/chat/src/apply/good-invites.ts",
        search: "  invite.useCount += 1;\n",
        replacement: "",
      },
    ],
    caughtBy: ["admission"],
    seedsMax: 30,
    worlds: { isSparse: false, clients: 7, operationGapUs: 120_000 },
  },
  {
    name: "muted-message-accepted",
    what: "what a muted member sends is accepted",
    edits: [
      {
        file: "packages/chat/src/apply/muting.ts",
        search: "if (stampMs >= untilMs) return undefined;",
        replacement: "if (stampMs >= untilMs || stampMs > 0) return undefined;",
      },
    ],
    caughtBy: ["muting"],
    seedsMax: 4,
  },
  {
    name: "blocked-message-accepted",
    what: "what somebody writes to who has blocked them is accepted",
    edits: [
      {
        file: "packages/chat/src/apply/blocks.ts",
        search: "if (room.directLow === 0) return undefined;",
        replacement: "if (room.directLow >= 0) return undefined;",
      },
    ],
    caughtBy: ["blocking"],
    seedsMax: 8,
  },
  {
    name: "file-piece-stored-twice",
    what: "a piece of a file that comes again is stored again",
    edits: [
      {
        file: "packages/chat/src/apply/files.ts",
        search: "command.offset === file.received && file.received < file.size",
        replacement: "command.offset <= file.received && file.messageId === 0",
      },
    ],
    caughtBy: ["files"],
    seedsMax: 20,
    // An upload is sent again when its answer is lost.
    worlds: onlyFaults({ "kill-leader": 3, kill: 2, "break-link": 3 }, 700_000),
  },
  {
    name: "expired-password-link-counts",
    what: "a link for a forgotten password counts until it is used, however late",
    edits: [
      {
        file: "packages/chat/src/apply/password-links.ts",
        search: "account === undefined || account.linkExpiresAtMs <= stampMs",
        replacement: "account === undefined",
      },
    ],
    caughtBy: ["password links"],
    seedsMax: 20,
  },
  {
    name: "preview-begins-late",
    what: "a preview is read from its second byte on",
    edits: [
      {
        file: "packages/chat/src/read/files.ts",
        search: "all.subarray(offset)",
        replacement: "all.subarray(offset + 1)",
      },
    ],
    caughtBy: ["files"],
    seedsMax: 12,
  },
  {
    name: "receipts-of-who-hides-them",
    what: "a list of members says how far those have read who hide it",
    edits: [
      {
        file: "packages/chat/src/read/rooms.ts",
        search: "(isTold && !account.readsHidden && !isApart(account))",
        replacement: "isTold",
      },
    ],
    caughtBy: ["read receipts"],
    seedsMax: 4,
  },
  {
    name: "receipts-to-who-hides-them",
    what: "whoever hides how far they have read is told it of others",
    edits: [
      {
        file: "packages/node/src/service/read-receipts.ts",
        search: "      if (!isShown(subscriber.accountId)) continue;\n",
        replacement: "",
      },
    ],
    caughtBy: ["read receipts"],
    seedsMax: 4,
  },
  {
    name: "receipts-between-blocked",
    what: "whoever has blocked somebody is told how far that one reads, and the other way about",
    edits: [
      {
        file: "packages/node/src/service/read-receipts.ts",
        search: "!admission.areApart(subscriber.accountId, accountId)",
        replacement: "admission.isMember(roomId, accountId)",
      },
    ],
    caughtBy: ["read receipts"],
    seedsMax: 8,
  },
  {
    name: "apply-looks-around",
    what: "what is applied depends on something that is not in the log",
    edits: [
      {
        file: "packages/chat/src/apply/messages.ts",
        search: "const sentAtMs = Math.max(stampMs, room.lastSentAtMs);",
        replacement: `const around = globalThis as { sends?: number };
  around.sends = (around.sends ?? 0) + 1;
  const sentAtMs = Math.max(stampMs, room.lastSentAtMs) + (around.sends % 64 === 0 ? 1 : 0);`,
      },
    ],
    caughtBy: ["State Machine Safety"],
    seedsMax: 2,
  },
  {
    name: "lost-proposal-taken-for-done",
    what: "whatever is applied at the index where a write was placed counts as that write",
    edits: [
      {
        file: "packages/node/src/replication/proposals.ts",
        search: "      if (term === entry.term) {",
        replacement: "      if (term <= entry.term) {",
      },
    ],
    caughtBy: [
      "P1 durable",
      "P2 once",
      "P4 no going back",
      "linearizability",
      "P7 quick failover",
      "no exception",
    ],
    seedsMax: 24,
  },
  {
    name: "local-linearizable-reads",
    what: "a linearizable read is answered from what the node has",
    edits: [
      {
        file: "packages/node/src/service/reads.ts",
        search: "if (freshness.consistency === Consistency.CONSISTENCY_LINEARIZABLE) {",
        replacement: "if (freshness.minRevision < 0) {",
      },
    ],
    caughtBy: ["P4 no going back", "linearizability"],
    seedsMax: 8,
  },
  {
    name: "lease-read-after-a-pause",
    what: "reads rest on a lease, and the time that a node was stopped for does not count",
    edits: [
      {
        file: "packages/raft/src/reads.ts",
        search: `const leased = r.settings.readOnly === "lease-based" && !r.leaseBroken;`,
        replacement: "const leased = !r.leaseBroken;",
      },
      {
        file: "packages/node/src/replication/driver.ts",
        search: "const ticks = Math.min(owed, 3 * this.#tuning.electionTicks);",
        replacement: "const ticks = 1;",
      },
    ],
    caughtBy: ["P4 no going back", "linearizability"],
    seedsMax: 20,
    worlds: onlyFaults({ "pause-leader": 2, "isolate-leader": 1 }, 1_000_000),
  },
  {
    name: "min-revision-ignored",
    what: "a node answers a client that has seen more than the node has",
    edits: [
      {
        file: "packages/node/src/service/reads.ts",
        search: "if (freshness.minRevision > replica.appliedRevision) {",
        replacement: "if (freshness.minRevision > Number.MAX_SAFE_INTEGER) {",
      },
    ],
    caughtBy: ["P4 no going back", "linearizability"],
    seedsMax: 20,
  },
  {
    name: "subscription-loses-one",
    what: "a subscription that goes live leaves out the revision after its cursor",
    edits: [
      {
        file: "packages/node/src/service/subscription.ts",
        search: "fanOut.recentFor(this.accountId, this.#position)",
        replacement: "fanOut.recentFor(this.accountId, this.#position + 1)",
      },
    ],
    caughtBy: ["P5 no gap"],
    seedsMax: 4,
  },
  {
    name: "subscription-repeats-one",
    what: "a resumed subscription delivers the revision of its cursor again",
    edits: [
      {
        file: "packages/client/src/client.ts",
        search: "afterRevision: wanted ? (subscription?.received ?? 0) : 0,",
        replacement: "afterRevision: wanted ? Math.max(0, (subscription?.received ?? 0) - 1) : 0,",
      },
      {
        file: "packages/client/src/subscription.ts",
        search: "      if (event.revision <= received) continue;",
        replacement: "      if (event.revision < received) continue;",
      },
    ],
    caughtBy: ["P5 no gap"],
    seedsMax: 4,
  },
  {
    name: "watched-at-one-node-alone",
    what: "the client doesn't say anew to another node whose presence it shows",
    edits: [
      {
        file: "packages/client/src/client.ts",
        search: "    if (this.#watched.length > 0) this.#tellWatched();\n",
        replacement: "",
      },
    ],
    caughtBy: ["presence"],
    seedsMax: 8,
  },
  {
    name: "typing-told-to-strangers",
    what: "a node that hears who types tells everybody who is here, not only the room's members",
    edits: [
      {
        file: "packages/node/src/service/fan-out.ts",
        search: "for (const accountId of this.#roomAccounts.get(roomId) ?? []) {",
        replacement: "for (const accountId of roomId === 0 ? [] : this.#byAccount.keys()) {",
      },
    ],
    caughtBy: ["typing is for members"],
    seedsMax: 2,
  },
  {
    name: "typing-of-strangers",
    what: "a node takes another's word, or a client's, that who types is in the room",
    edits: [
      {
        file: "packages/node/src/service/typing.ts",
        search: "if (member === undefined || clock.wallMs()",
        replacement: "if (member !== undefined && clock.wallMs()",
      },
    ],
    caughtBy: ["typing is for members"],
    seedsMax: 2,
  },
  {
    name: "typing-between-blocked",
    what: "whoever has blocked somebody sees them type, and the other way about",
    edits: [
      {
        file: "packages/node/src/service/typing.ts",
        search: "isOther && !admission.areApart(subscriber.accountId, accountId)",
        replacement: "isOther",
      },
    ],
    caughtBy: ["typing is for members"],
    seedsMax: 8,
  },
  {
    name: "search-in-others-rooms",
    what: "a search finds messages of rooms that one is not in",
    edits: [
      {
        file: "packages/chat/src/read/search.ts",
        search: "    if (!roomIds.has(roomId)) return false;\n",
        replacement: "",
      },
      {
        file: "packages/chat/src/read/search.ts",
        search: "    if (roomIds.size <= ROOMS_ASKED_MAX) ",
        replacement: "    if (roomIds.size < 0) ",
      },
    ],
    caughtBy: ["search"],
    seedsMax: 2,
  },
  {
    name: "search-finds-the-deleted",
    what: "a search by author finds messages that were deleted",
    edits: [
      {
        file: "packages/chat/src/read/search.ts",
        search: "       WHERE id = ? AND deleted = 0`,",
        replacement: "       WHERE id = ?`,",
      },
    ],
    caughtBy: ["search"],
    seedsMax: 4,
  },
  {
    name: "search-forgets-edits",
    what: "what is indexed already stays indexed as it was",
    edits: [
      {
        file: "packages/chat/src/search/index-table.ts",
        search: "    if (before.id > this.#indexed) return;\n",
        replacement: "    if (before.id > 0) return;\n",
      },
    ],
    caughtBy: ["search"],
    seedsMax: 8,
  },
  {
    name: "ticks-for-what-was-sent",
    what: "ticks tell of what was sent to the members, not of what they have on disk",
    edits: [
      {
        file: "packages/node/src/cluster-view.ts",
        search: `{ match }] of progress) {
      matches.set(raftId, raftId === id ? Math.min(match, stableIndex) : match);`,
        replacement: `{ next }] of progress) {
      matches.set(raftId, raftId === id ? Math.min(next - 1, stableIndex) : next - 1);`,
      },
    ],
    caughtBy: ["P1 durable"],
    seedsMax: 4,
  },
  {
    name: "thread-followed-while-away",
    what: "catching up says nothing of threads that the account follows, has read or follows no more",
    edits: [
      {
        file: "packages/chat/src/read/catch-up.ts",
        search: "[this.#accountSource(after), this.#threadSource(accountId, after)]",
        replacement: "[this.#accountSource(after)]",
      },
    ],
    caughtBy: ["unread counts"],
    seedsMax: 4,
  },
  {
    name: "deletion-told-by-the-way",
    what: "what is deleted by the time that it is told as new is not told to be deleted at its own revision, too",
    edits: [
      {
        file: "packages/chat/src/read/catch-up.ts",
        search: "(m.id <= ?4 OR m.deleted = 1)",
        replacement: "m.id <= ?4",
      },
    ],
    caughtBy: ["unread counts"],
    seedsMax: 4,
  },
  {
    name: "reply-unread-for-strangers",
    what: "replies in threads are unread for those who do not follow them, too",
    edits: [
      {
        file: "packages/chat/src/unread-counts.ts",
        search: "return last === 0 ? 0 : last - upTo(readSeq);",
        replacement: "return last < 0 ? last - upTo(readSeq) : 0;",
      },
    ],
    caughtBy: ["unread counts"],
    seedsMax: 4,
  },
  {
    name: "order-not-linked",
    what: "sends in flight do not name the one before them",
    edits: [
      {
        file: "packages/client/src/outbox.ts",
        search: `this.#predecessor(entry)?.item.clientMessageId ?? "";`,
        replacement: `"";`,
      },
    ],
    caughtBy: ["P3 order"],
    seedsMax: 20,
  },
  {
    name: "retry-under-a-new-id",
    what: "the client repeats a write under another request id",
    edits: [
      {
        file: "packages/client/src/calls.ts",
        search: "    let value = call.request;\n",
        replacement:
          "    let value = call.request;\n    if (call.write) value = { ...call.request, requestId: this.#options.newId() };\n",
      },
    ],
    caughtBy: ["P2 once"],
    seedsMax: 10,
  },
  {
    name: "failover-shows-errors",
    what: "the client gives a request up when its node has no leader",
    edits: [
      {
        file: "packages/client/src/exchange.ts",
        search: `    case "BEHIND":
    case "OUTCOME_UNKNOWN":`,
        replacement: `    case "BEHIND":`,
      },
      {
        file: "packages/client/src/exchange.ts",
        search: "      return error.retryAfterMs > 0;",
        replacement: "      return false;",
      },
    ],
    caughtBy: ["P7 quick failover"],
    seedsMax: 20,
  },
];
