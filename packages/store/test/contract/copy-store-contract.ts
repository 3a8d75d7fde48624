// What every CopyStore must do, and installing what it received; the memory and the SQLite one run the same
// suite. Two disks: copies go from the first to the second.
import type { ChatStore, CopyHead, LogStore, Membership } from "@parley/node/ports";
import type { Entry } from "@parley/raft";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { chatEntries } from "./chat-script.ts";
import { THREE_VOTERS } from "./chat-store-contract.ts";
import { readWhole } from "./log-store-contract.ts";

export interface NodeStores {
  readonly log: LogStore;
  readonly chat: ChatStore;
}

export interface CopyStoreHarness {
  /** Other stores on the same disk, not open yet. */
  stores(disk: "from" | "to"): NodeStores;
  dispose(): void;
}

const ENTRIES = chatEntries(300);
const PIECE = 16 * 1024;

function logEntries(count: number): Entry[] {
  return ENTRIES.slice(0, count).map(({ index, term, command }) => ({
    type: "EntryNormal",
    index,
    term,
    data: command,
  }));
}

export function copyStoreContract(name: string, makeHarness: () => CopyStoreHarness): void {
  describe(`CopyStore contract: ${name}`, () => {
    let harness: CopyStoreHarness;
    let from: NodeStores;
    let to: NodeStores;

    async function open(disk: "from" | "to"): Promise<NodeStores> {
      const stores = harness.stores(disk);
      const { compactedIndex } = await stores.log.open();
      await stores.chat.open(THREE_VOTERS, compactedIndex);
      return stores;
    }

    async function close({ log, chat }: NodeStores): Promise<void> {
      await chat.close();
      await log.close();
    }

    beforeEach(async () => {
      harness = makeHarness();
      from = await open("from");
      to = await open("to");
    });
    afterEach(async () => {
      await close(from);
      await close(to);
      harness.dispose();
    });

    async function write({ log, chat }: NodeStores, first: number, last: number): Promise<void> {
      const entries = logEntries(last).slice(first - 1);
      await log.append({ hardState: undefined, entries });
      await chat.apply({ entries: ENTRIES.slice(first - 1, last), confState: undefined });
    }

    async function send(head: CopyHead, start: number, end = head.bytes): Promise<void> {
      for (let at = start; at < end; at += PIECE) {
        const length = Math.min(PIECE, end - at);
        await to.chat.copies.write(at, await from.chat.copies.read(head.copyId, at, length));
      }
    }

    test("a copy is as of the applied index, with the membership, and is the same bytes at every read", async () => {
      await write(from, 1, 200);
      const head = await from.chat.copies.make("one");
      expect(head).toMatchObject({ copyId: "one", index: 200, term: ENTRIES[199]?.term });
      const { servers: _, nextRaftId: __, lastChangeId: ___, ...confState } = THREE_VOTERS;
      expect(head.confState).toMatchObject(confState);
      expect(head.stateHash).toBe((await from.chat.stateHash(200))?.hash);
      await write(from, 201, 250);
      const [once, again] = [
        await from.chat.copies.read("one", 0, 99),
        await from.chat.copies.read("one", 0, 99),
      ];
      expect(once).toEqual(again);
      await from.chat.copies.remove("one");
      await expect(from.chat.copies.read("one", 0, 99)).rejects.toThrow();
    });

    test("an installed copy is the chat, and the log begins after it; a restart finds both", async () => {
      await write(from, 1, 200);
      await write(to, 1, 20);
      const head = await from.chat.copies.make("one");
      expect(await to.chat.copies.receive(head)).toBe(0);
      await send(head, 0);
      await to.chat.copies.finish(head);
      const { log, chat } = await to.chat.install(head, { term: 5, vote: 2, commit: 200 });
      expect(log).toMatchObject({
        hardState: { term: 5, vote: 2, commit: 200 },
        compactedIndex: 200,
        compactedTerm: head.term,
        lastIndex: 200,
        lastTerm: head.term,
      });
      expect(chat.admission.appliedIndex).toBe(200);
      expect(chat.confState).toEqual(THREE_VOTERS);
      await write(to, 201, 230);
      await close(to);
      to = harness.stores("to");
      expect(await to.log.open()).toMatchObject({ compactedIndex: 200, lastIndex: 230 });
      const state = await to.chat.open(otherMembership(), 200);
      expect(state.confState).toEqual(THREE_VOTERS);
      expect(state.admission.appliedIndex).toBe(230);
      const recomputed = await to.chat.read({ kind: "recompute-hash" });
      await write(from, 201, 230);
      expect(recomputed).toMatchObject({ hash: (await from.chat.stateHash(0))?.hash });
    });

    test("entries that continue the copy stay, those in conflict with it go", async () => {
      await write(from, 1, 100);
      const head = await from.chat.copies.make("one");
      // A longer log than the copy, of which nothing is applied: as of a node that lost its chat file.
      await to.log.append({ hardState: { term: 1, vote: 1, commit: 0 }, entries: logEntries(150) });
      await to.chat.copies.receive(head);
      await send(head, 0);
      await to.chat.copies.finish(head);
      const { log } = await to.chat.install(head, undefined);
      expect(log).toMatchObject({ compactedIndex: 100, lastIndex: 150 });
      expect(log.hardState).toEqual({ term: 1, vote: 1, commit: 100 });
      expect(await readWhole(to.log, 101, 151, 1e9)).toEqual(logEntries(150).slice(100));
      await expect(to.log.read(100, 101, 1e9)).rejects.toMatchObject({ kind: "invalid" });
    });

    test("what broke off goes on where it was; another copy begins anew", async () => {
      await write(from, 1, 200);
      const head = await from.chat.copies.make("one");
      await to.chat.copies.receive(head);
      await send(head, 0, 2 * PIECE);
      expect(await to.chat.copies.receive(head)).toBe(2 * PIECE);
      await send(head, 2 * PIECE);
      await to.chat.copies.finish(head);
      const other = await from.chat.copies.make("two");
      expect(await to.chat.copies.receive(other)).toBe(0);
    });

    test("a damaged piece is refused, and a damaged copy never installed", async () => {
      await write(from, 1, 200);
      const head = await from.chat.copies.make("one");
      await to.chat.copies.receive(head);
      const piece = await from.chat.copies.read("one", 0, PIECE);
      const bytes = piece.bytes.slice();
      bytes[5] = (bytes[5] ?? 0) ^ 4;
      await expect(to.chat.copies.write(0, { ...piece, bytes })).rejects.toThrow(/corrupt/);
      await expect(to.chat.copies.write(PIECE, piece)).rejects.toThrow(/follow/);
      await send(head, 0);
      const lying = { ...head, stateHash: "0000000000000000" };
      await expect(to.chat.copies.finish(lying)).rejects.toThrow(/corrupt/);
      // It was dropped: nothing is left to go on from, and the node goes on as it was.
      expect(await to.chat.copies.receive(head)).toBe(0);
      await write(to, 1, 10);
    });
  });
}

function otherMembership(): Membership {
  return { ...THREE_VOTERS, voters: [9] };
}
