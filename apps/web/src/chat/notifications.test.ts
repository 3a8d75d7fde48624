// Of which messages a browser tells, and how it shows that.
import { type Event, Message, Room } from "@parley/protocol";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type NotifiedChat, notifyOf } from "./notifications.ts";
import { keepQuiet } from "./notify-choice.ts";
import { ANSWER_MS } from "./tab-agreement.ts";

const ME = 1;
const ANN = 2;
const BLOCKED = 3;
const PUBLIC = 1;
const DIRECT = 3;

const ROOMS = [
  Room.fromPartial({ id: 1, name: "lobby", visibility: PUBLIC }),
  Room.fromPartial({ id: 2, name: "noisy", visibility: PUBLIC, muted: true }),
  Room.fromPartial({ id: 3, visibility: DIRECT }),
];

let listener: (events: readonly Event[]) => void = () => {};
let shown: { readonly by: string; readonly title: string; readonly options: NotificationOptions }[];
let opened: string[];
let pageIsSeen = false;
const container = new EventTarget();
let stop = () => {};

function setUp(choice: string, worker: "active" | "none"): void {
  const kept = new Map([["parley:notify", choice]]);
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
    removeItem: (key: string) => kept.delete(key),
  });
  const showNotification = async (title: string, options: NotificationOptions) => {
    shown.push({ by: "worker", title, options });
  };
  const registration = worker === "active" ? { active: {}, showNotification } : undefined;
  Object.assign(container, { getRegistration: async () => registration });
  vi.stubGlobal("navigator", { serviceWorker: container });
  const chat = {
    accountId: ME,
    scope: "c:1",
    client: { state: { clockOffsetMs: 0 } },
    blocked: { getSnapshot: () => new Set([BLOCKED]) },
    sync: {
      rooms: { getSnapshot: () => ({ loaded: true, rooms: ROOMS }) },
      onEvents: (one: typeof listener) => {
        listener = one;
        return () => {};
      },
    },
  } as unknown as NotifiedChat;
  stop = notifyOf(chat, {
    pathOf: ({ roomId, seq }) => `/r/${roomId}/${seq}`,
    open: (path) => opened.push(path),
  });
}

beforeEach(() => {
  vi.useFakeTimers();
  shown = [];
  opened = [];
  pageIsSeen = false;
  vi.stubGlobal("isSecureContext", true);
  vi.stubGlobal("BroadcastChannel", undefined);
  vi.stubGlobal("document", {
    get visibilityState() {
      return pageIsSeen ? "visible" : "hidden";
    },
    hasFocus: () => pageIsSeen,
  });
  vi.stubGlobal("window", Object.assign(new EventTarget(), { focus: () => {} }));
  vi.stubGlobal(
    "Notification",
    class {
      static readonly permission = "granted";
      constructor(title: string, options: NotificationOptions) {
        shown.push({ by: "page", title, options });
      }
    },
  );
});
afterEach(() => {
  stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function comes(fields: Partial<Message>): Promise<void> {
  const base = { roomId: 1, seq: 7, authorId: ANN, author: "ann", body: "hello" };
  const message = { ...Message.fromPartial({ ...base, sentAtMs: Date.now() }), ...fields };
  listener([{ revision: 9, event: { $case: "message", value: message } }]);
  await vi.advanceTimersByTimeAsync(2 * ANSWER_MS);
}

test("the worker shows who wrote where, and leads to the message", async () => {
  setUp("all", "active");
  await comes({});
  expect(shown).toMatchObject([
    { by: "worker", title: "ann in #lobby", options: { body: "hello", tag: "1:7" } },
  ]);
  expect(shown[0]?.options.data).toEqual({ path: "/r/1/7" });
  container.dispatchEvent(new MessageEvent("message", { data: { open: "/r/1/7" } }));
  container.dispatchEvent(new MessageEvent("message", { data: { open: 7 } }));
  expect(opened).toEqual(["/r/1/7"]);
});

test("without a worker the page shows it; where it may not either, nothing breaks", async () => {
  setUp("all", "none");
  await comes({});
  expect(shown).toMatchObject([{ by: "page", title: "ann in #lobby" }]);
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  vi.stubGlobal(
    "Notification",
    class {
      static readonly permission = "granted";
      constructor() {
        throw new TypeError("Illegal constructor");
      }
    },
  );
  await comes({ seq: 8 });
  expect(warn).toHaveBeenCalledOnce();
});

const everybody = { mentions: [ME] };
test.each([
  ["none", {}, 0],
  ["mentions", {}, 0],
  ["mentions", everybody, 1],
  ["mentions", { roomId: 3 }, 1],
  ["all", {}, 1],
  ["all", { authorId: ME }, 0],
  ["all", { authorId: BLOCKED }, 0],
  ["all", { sentAtMs: 1 }, 0],
  ["all", { roomId: 2 }, 0],
  ["all", { roomId: 2, ...everybody }, 1],
  ["all", { threadRootSeq: 3 }, 0],
  ["all", { threadRootSeq: 3, ...everybody }, 1],
  ["all", { roomId: 99 }, 0],
] as const)("told of %s: %j is told %i times", async (choice, fields, times) => {
  setUp(choice, "active");
  await comes(fields as Partial<Message>);
  expect(shown).toHaveLength(times);
});

test("nothing while somebody looks at the page, or does not want to be disturbed", async () => {
  setUp("all", "active");
  pageIsSeen = true;
  await comes({});
  pageIsSeen = false;
  keepQuiet("hour");
  await comes({ seq: 8 });
  expect(shown).toEqual([]);
  keepQuiet(undefined);
  await comes({ seq: 9 });
  expect(shown).toHaveLength(1);
});
