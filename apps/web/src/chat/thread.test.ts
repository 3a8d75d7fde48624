import type { Message } from "@parley/client/browser";
import { beforeAll, describe, expect, test } from "vitest";
import { loadProblemTexts } from "../text/problem-text.ts";
import { Thread, type ThreadSource } from "./thread.ts";

const ROOT = 10;

function message(seq: number, change: Partial<Message> = {}): Message {
  const threadRootSeq = seq === ROOT ? 0 : ROOT;
  return { seq, threadRootSeq, revision: seq, body: `m${seq}`, ...change } as Message;
}

/** A thread of as many replies, every third number of the room; each page waits to be let through. */
function world(count: number) {
  const replies = Array.from({ length: count }, (_, at) => message(ROOT + 3 * (at + 1)));
  const asked: number[] = [];
  let gate = Promise.resolve();
  const source: ThreadSource = async (beforeSeq, limit) => {
    asked.push(beforeSeq);
    await gate;
    const before = replies.filter(({ seq }) => beforeSeq === 0 || seq < beforeSeq);
    return { root: message(ROOT), messages: before.slice(-limit) };
  };
  const close = () => {
    const held = Promise.withResolvers<void>();
    gate = held.promise;
    return () => held.resolve();
  };
  return { replies, asked, source, close };
}

const seqs = (thread: Thread) => thread.getSnapshot().messages.map(({ seq }) => seq);
const event = (value: Message, $case: "message" | "messageChanged" = "message") =>
  ({ revision: value.revision, event: { $case, value } }) as const;

beforeAll(loadProblemTexts);

describe("a thread", () => {
  test("begins with what the room knows of it, and then has the newest replies below their message", async () => {
    const { source, close } = world(3);
    const open = close();
    const thread = new Thread(1, ROOT, [message(ROOT), message(16)], source);
    const shown = thread.show(0);
    expect(seqs(thread)).toEqual([ROOT, 16]);
    expect(thread.getSnapshot().loaded).toBe(false);
    open();
    await shown;
    expect(seqs(thread)).toEqual([ROOT, 13, 16, 19]);
    expect(thread.getSnapshot()).toMatchObject({ loaded: true, hasOlder: false, atEnd: true });
  });

  test("P5: takes what comes while a page is on its way, and of two states the newer", async () => {
    const { source, close } = world(2);
    const open = close();
    const thread = new Thread(1, ROOT, [], source);
    const shown = thread.show(0);
    thread.apply(event(message(20)));
    thread.apply(event(message(16, { revision: 21, body: "edited" }), "messageChanged"));
    thread.add(message(22, { threadRootSeq: 5 }));
    thread.add(message(23, { threadRootSeq: 0 }));
    open();
    await shown;
    expect(seqs(thread)).toEqual([ROOT, 13, 16, 20]);
    thread.apply(event(message(16, { revision: 21, body: "edited" }), "messageChanged"));
    thread.apply(event(message(16), "messageChanged"));
    expect(thread.getSnapshot().messages[2]?.body).toBe("edited");
    // What is not at hand is not wanted.
    thread.apply(event(message(11), "messageChanged"));
    expect(seqs(thread)).toEqual([ROOT, 13, 16, 20]);
  });

  test("goes back page by page, as far as the reply of an address; nothing stands beyond a gap", async () => {
    const { source, asked, replies } = world(120);
    const thread = new Thread(1, ROOT, [message(ROOT), message(13)], source);
    await thread.show(0);
    expect(seqs(thread)).toHaveLength(51);
    expect(thread.getSnapshot().hasOlder).toBe(true);
    await thread.show(replies[30]?.seq ?? 0);
    expect(asked).toEqual([0, replies[70]?.seq]);
    expect(seqs(thread)).toHaveLength(101);
    await thread.loadOlder();
    expect(seqs(thread)).toEqual([ROOT, ...replies.map(({ seq }) => seq)]);
    expect(thread.getSnapshot().hasOlder).toBe(false);
    await thread.show(1);
    expect(asked).toHaveLength(3);
  });

  test("says why it can't be loaded, and asks again when there is a node", async () => {
    const { source } = world(1);
    let isDown = true;
    const thread = new Thread(1, ROOT, [], async (...page) => {
      if (isDown) throw new Error("no node answers");
      return await source(...page);
    });
    await thread.show(0);
    expect(thread.getSnapshot()).toMatchObject({
      loaded: false,
      problem: expect.stringMatching(/no node answers/i),
    });
    isDown = false;
    const loaded = new Promise<void>((resolve) => {
      thread.subscribe(() => thread.getSnapshot().loaded && resolve());
    });
    thread.retry();
    await loaded;
    expect(seqs(thread)).toEqual([ROOT, 13]);
  });
});
