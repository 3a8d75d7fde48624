// What every ChatStore must do; the memory and the SQLite one run the same suite. The reference is
// the chat machine itself on a database in memory.
import { DatabaseSync } from "node:sqlite";
import { type AppliedBatch, ChatMachine } from "@parley/chat";
import type { ChatStore, Membership } from "@parley/node/ports";
import { HistoryRequest, HistoryResponse } from "@parley/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bodyOf, chatEntries, ROOM } from "./chat-script.ts";

export interface ChatStoreHarness {
  /** Called before the first store is made. */
  prepare(): Promise<void>;
  /** Another store on the same disk, not open yet. */
  store(): ChatStore;
  dispose(): Promise<void>;
}

const SERVER = {
  nodeId: 3,
  raftId: 7,
  serverUuid: "0f8b3c1e-0000-4000-8000-000000000007",
  address: "10.0.0.3:7400",
  httpAddress: "",
  role: 1,
} as const;
export const THREE_VOTERS: Membership = {
  voters: [1, 2, 3],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
  servers: [SERVER],
  nextRaftId: 8,
  lastChangeId: "",
};
const JOINT: Membership = {
  voters: [1, 2, 4],
  votersOutgoing: [1, 2, 3],
  learners: [5],
  learnersNext: [3],
  autoLeave: true,
  servers: [SERVER, { ...SERVER, nodeId: 4, raftId: 8, role: 2 }],
  nextRaftId: 9,
  lastChangeId: "a change",
};

const BATCH = 64;
const ENTRIES = chatEntries(600);

export function chatStoreContract(name: string, makeHarness: () => ChatStoreHarness): void {
  describe(`ChatStore contract: ${name}`, () => {
    let harness: ChatStoreHarness;
    let store: ChatStore;

    beforeEach(async () => {
      harness = makeHarness();
      await harness.prepare();
      store = harness.store();
    });
    afterEach(async () => {
      await store.close();
      await harness.dispose();
    });

    async function applyUpTo(last: number, first = 1): Promise<AppliedBatch[]> {
      const batches: AppliedBatch[] = [];
      for (let at = first - 1; at < last; at += BATCH) {
        const entries = ENTRIES.slice(at, Math.min(at + BATCH, last));
        batches.push(await store.apply({ entries, confState: undefined }));
      }
      return batches;
    }

    async function reopen(initial?: Membership): Promise<Awaited<ReturnType<ChatStore["open"]>>> {
      await store.close();
      store = harness.store();
      return store.open(initial);
    }

    async function history(afterSeq: number): Promise<{ revision: number; bodies: string[] }> {
      const request = HistoryRequest.encode(
        HistoryRequest.fromPartial({ roomId: ROOM, afterSeq, limit: 200 }),
      ).finish();
      const answer = await store.read({
        kind: "operation",
        operation: "history",
        request,
        accountId: 2,
        sessionId: 2,
      });
      if (answer.kind !== "response") throw new Error(`answered ${JSON.stringify(answer)}`);
      const { messages } = HistoryResponse.decode(answer.response);
      return { revision: answer.revision, bodies: messages.map(({ body }) => body) };
    }

    test("a new file has applied nothing, and has the membership that it was given", async () => {
      const state = await store.open(THREE_VOTERS);
      expect(state.admission).toMatchObject({ appliedIndex: 0, appliedTerm: 0, changes: [] });
      expect(state.confState).toEqual(THREE_VOTERS);
    });

    test("the first membership is durable, and no later open replaces it", async () => {
      await store.open(THREE_VOTERS);
      expect((await reopen(JOINT)).confState).toEqual(THREE_VOTERS);
    });

    test("a file made without a membership gets one from a later open", async () => {
      expect((await store.open(undefined)).confState).toBeUndefined();
      expect((await reopen(undefined)).confState).toBeUndefined();
      expect((await reopen(THREE_VOTERS)).confState).toEqual(THREE_VOTERS);
    });

    test("apply gives what the chat machine gives: outcomes, changes, deliveries", async () => {
      const reference = ChatMachine.open(new DatabaseSync(":memory:"));
      await store.open(undefined);
      const kinds = new Set<string>();
      for (let at = 0; at < ENTRIES.length; at += BATCH) {
        const entries = ENTRIES.slice(at, at + BATCH);
        const batch = await store.apply({ entries, confState: undefined });
        expect(plain(batch)).toEqual(plain(reference.apply(entries)));
        for (const { outcome } of batch.entries) kinds.add(outcome.kind);
      }
      expect([...kinds].sort()).toEqual(["empty", "ok", "refused"]);
      expect(await store.stateHash(0)).toEqual(reference.stateHash(0));
    });

    test("applies are served in the order of the calls", async () => {
      await store.open(undefined);
      const cuts = [0, 100, 101, 300, 600];
      const batches = await Promise.all(
        cuts
          .slice(1)
          .map((end, at) =>
            store.apply({ entries: ENTRIES.slice(cuts[at], end), confState: undefined }),
          ),
      );
      expect(batches.map(({ appliedIndex }) => appliedIndex)).toEqual(cuts.slice(1));
    });

    test("P4: a read after an apply has resolved sees it", async () => {
      await store.open(undefined);
      await applyUpTo(ROOM);
      for (let index = ROOM + 1; index < ROOM + 30; index++) {
        await store.apply({ entries: ENTRIES.slice(index - 1, index), confState: undefined });
        const { revision, bodies } = await history(0);
        expect(revision).toBe(index);
        expect(bodies.at(-1)).toBe(bodyOf(index));
      }
    });

    test("reads beside applying see one state each, none older than the last applied", async () => {
      await store.open(undefined);
      await applyUpTo(100);
      await history(0);
      let applied = 100;
      const reads: Promise<void>[] = [];
      const seen = new Set<number>();
      for (let at = 100; at < ENTRIES.length; at += 10) {
        const floor = applied;
        for (let count = 0; count < 3; count++) {
          reads.push(
            history(0).then(({ revision }) => {
              expect(revision).toBeGreaterThanOrEqual(floor);
              seen.add(revision);
            }),
          );
        }
        const entries = ENTRIES.slice(at, at + 10);
        ({ appliedIndex: applied } = await store.apply({ entries, confState: undefined }));
      }
      await Promise.all(reads);
      expect(seen.size).toBeGreaterThan(1);
    });

    test("a page of events crosses whole", async () => {
      await store.open(undefined);
      await applyUpTo(ENTRIES.length);
      const query = { kind: "catch-up", accountId: 2, afterRevision: 0, bytesMax: 1e6 } as const;
      const page = await store.read(query);
      if (page.kind !== "page") throw new Error(`answered ${page.kind}`);
      expect(page.upToRevision).toBe(ENTRIES.length);
      expect(page.events.length).toBeGreaterThan(400);
      expect(page.events.every(({ event }) => event.byteLength > 0)).toBe(true);
      const revisions = page.events.map(({ revision }) => revision);
      expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
    });

    test("a refused read is an answer", async () => {
      await store.open(undefined);
      await applyUpTo(ROOM);
      const query = { operation: "history", request: new Uint8Array([0xff, 0xff]) } as const;
      const answer = await store.read({ kind: "operation", ...query, accountId: 2, sessionId: 2 });
      expect(answer.kind).toBe("refused");
      await applyUpTo(10, ROOM + 1);
    });

    test("the membership changes with the entries that it comes with, and survives", async () => {
      await store.open(THREE_VOTERS);
      await store.apply({ entries: ENTRIES.slice(0, 5), confState: JOINT });
      const state = await reopen();
      expect(state.confState).toEqual(JOINT);
      expect(state.admission.appliedIndex).toBe(5);
    });

    test("what was applied is there after a restart, and applying goes on from it", async () => {
      const reference = ChatMachine.open(new DatabaseSync(":memory:"));
      reference.apply(ENTRIES.slice(0, 300));
      await store.open(undefined);
      await applyUpTo(300);
      expect((await reopen()).admission).toEqual(reference.admissionSnapshot());
      expect(await store.stateHash(0)).toEqual(reference.stateHash(0));
      reference.apply(ENTRIES.slice(300));
      await applyUpTo(ENTRIES.length, 301);
      expect(await store.stateHash(0)).toEqual(reference.stateHash(0));
    });

    test("the state hash is kept for the newest index and for round ones", async () => {
      await store.open(undefined);
      await applyUpTo(ENTRIES.length);
      const newest = await store.stateHash(0);
      expect(newest?.appliedIndex).toBe(ENTRIES.length);
      expect(await store.stateHash(ENTRIES.length)).toEqual(newest);
      expect((await store.stateHash(512))?.appliedIndex).toBe(512);
      expect(await store.stateHash(513)).toBeUndefined();
      expect(await store.stateHash(10_000)).toBeUndefined();
      const recomputed = await store.read({ kind: "recompute-hash" });
      const hash = newest?.hash;
      expect(recomputed).toEqual({ kind: "hash", revision: ENTRIES.length, hash, keptHash: hash });
    });

    test("an entry out of order breaks the store for good, and nothing of it is kept", async () => {
      await store.open(undefined);
      await applyUpTo(10);
      const skipped = { entries: ENTRIES.slice(11, 12), confState: undefined };
      await expect(store.apply(skipped)).rejects.toMatchObject({ name: "StorageError" });
      const next = { entries: ENTRIES.slice(10, 11), confState: undefined };
      await expect(store.apply(next)).rejects.toMatchObject({ name: "StorageError" });
      expect((await reopen()).admission.appliedIndex).toBe(10);
      await applyUpTo(20, 11);
    });

    test("a closed store refuses everything, and closing waits for what was asked before", async () => {
      await store.open(undefined);
      const applied = store.apply({ entries: ENTRIES.slice(0, 10), confState: undefined });
      await store.close();
      expect((await applied).appliedIndex).toBe(10);
      const next = { entries: ENTRIES.slice(10, 11), confState: undefined };
      await expect(store.apply(next)).rejects.toMatchObject({ kind: "closed" });
      await expect(store.read({ kind: "recompute-hash" })).rejects.toMatchObject({
        kind: "closed",
      });
      expect((await reopen()).admission.appliedIndex).toBe(10);
    });
  });
}

/** Bytes as arrays: what is a view and what is a Buffer does not matter. */
function plain(batch: AppliedBatch): unknown {
  return JSON.parse(
    JSON.stringify(batch, (_, value: unknown) =>
      value instanceof Uint8Array ? [...value] : value,
    ),
  );
}
