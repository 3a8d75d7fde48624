// When a page reloads itself so that it may dial a new member, and when it does not.
import type { ParleyClient } from "@parley/client/browser";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { NodesOfPage } from "./nodes-of-page.ts";
import { holdUnkept } from "./saved.ts";

const IDLE_MS = 12_000;

let reloads = 0;
let wouldLose = false;
let phase = "online";
let posted: unknown[] = [];
let pageDocument = new EventTarget();
let pageWindow = new EventTarget();
const worker = { controller: {} as object | null };
let nodes: NodesOfPage;

function storage(): Pick<Storage, "getItem" | "setItem" | "removeItem"> {
  const kept = new Map<string, string>();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

beforeEach(() => {
  vi.useFakeTimers();
  reloads = 0;
  wouldLose = false;
  phase = "online";
  posted = [];
  pageDocument = Object.assign(new EventTarget(), { hidden: false });
  pageWindow = new EventTarget();
  const active = { postMessage: (word: unknown) => posted.push(word) };
  const serviceWorker = Object.assign(worker, {
    controller: {},
    ready: Promise.resolve({ active }),
  });
  vi.stubGlobal("document", pageDocument);
  vi.stubGlobal("window", pageWindow);
  vi.stubGlobal("navigator", { serviceWorker });
  vi.stubGlobal("localStorage", storage());
  vi.stubGlobal("sessionStorage", storage());
  vi.stubGlobal("location", { reload: () => (reloads += 1) });
  const client = {
    get state() {
      return { phase, nodes: ["http://127.0.0.1:8401", "not a page"] };
    },
    onState: () => () => {},
  } as unknown as ParleyClient;
  nodes = new NodesOfPage(client, () => wouldLose);
});
afterEach(() => {
  nodes.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function refuse(effectiveDirective = "connect-src"): void {
  const event = Object.assign(new Event("securitypolicyviolation"), { effectiveDirective });
  pageDocument.dispatchEvent(event);
}

test("the worker is told where nodes serve the page", async () => {
  await vi.advanceTimersByTimeAsync(1);
  expect(posted).toEqual([{ nodes: ["http://127.0.0.1:8401"] }]);
});

test("it reloads once nobody uses it; never in a circle, and not for another rule of the policy", () => {
  refuse("img-src");
  vi.advanceTimersByTime(IDLE_MS);
  expect(reloads).toBe(0);
  refuse();
  for (let at = 0; at < 10; at += 1) {
    pageWindow.dispatchEvent(new Event("keydown"));
    vi.advanceTimersByTime(5_000);
  }
  expect(reloads).toBe(0);
  vi.advanceTimersByTime(IDLE_MS);
  expect(reloads).toBe(1);
  vi.advanceTimersByTime(IDLE_MS);
  expect(reloads).toBe(1);
});

test("not while a message is being changed, nor while files are on their way", () => {
  refuse();
  const release = holdUnkept();
  wouldLose = true;
  vi.advanceTimersByTime(IDLE_MS);
  release();
  vi.advanceTimersByTime(IDLE_MS);
  expect(reloads).toBe(0);
  wouldLose = false;
  vi.advanceTimersByTime(2_000);
  expect(reloads).toBe(1);
});

test("without any node only where the worker has the page", () => {
  phase = "connecting";
  worker.controller = null;
  refuse();
  vi.advanceTimersByTime(IDLE_MS);
  expect(reloads).toBe(0);
  worker.controller = {};
  vi.advanceTimersByTime(2_000);
  expect(reloads).toBe(1);
});
