// The browser entry as a bundler for browsers sees it, run where nothing of Node's exists.
import { createContext, runInContext } from "node:vm";
import type { Rollup } from "vite";
import { expect, test } from "vitest";
import { BROWSER_ENTRY, bundle } from "./bundle.ts";

/** Modules of Node's that the bundler left out, and the gRPC engine. */
function foreignIn(chunk: Rollup.OutputChunk): readonly string[] {
  const modules = [...chunk.imports, ...chunk.moduleIds];
  return modules.filter((id) => /^node:|__vite-browser-external|@grpc/.test(id));
}

test("the browser entry is bundled without anything of Node's", async () => {
  const chunk = await bundle(BROWSER_ENTRY);
  expect(foreignIn(chunk)).toEqual([]);
  expect(chunk.imports).toEqual([]);
});

test("the check finds what it looks for", async () => {
  expect(foreignIn(await bundle("../../src/file-outbox.ts"))).not.toEqual([]);
});

test("the bundle dials and greets with what every browser has, on plain http too", async () => {
  const { code } = await bundle(BROWSER_ENTRY);
  const sent: unknown[] = [];
  const urls: string[] = [];
  class FakeWebSocket {
    onopen: (() => void) | undefined;
    constructor(url: string) {
      urls.push(url);
      queueMicrotask(() => this.onopen?.());
    }
    send(bytes: unknown) {
      sent.push(bytes);
    }
    close() {}
  }
  const { TextEncoder, TextDecoder, URL, performance, setTimeout, clearTimeout, queueMicrotask } =
    globalThis;
  // Beyond loopback without TLS there is no randomUUID and no subtle.
  const crypto = {
    getRandomValues: (array: Uint8Array<ArrayBuffer>) => globalThis.crypto.getRandomValues(array),
  };
  const platform = { TextEncoder, TextDecoder, URL, performance, setTimeout, clearTimeout };
  const location = { protocol: "http:" };
  const page = { ...platform, queueMicrotask, crypto, location, WebSocket: FakeWebSocket };
  const context = createContext({ ...page, AbortController, EventTarget });
  runInContext(code, context);
  const state = await runInContext(
    `(async () => {
      const client = new parley.ParleyClient({
        servers: "http://localhost:8001",
        carrier: parley.webSocketCarrier(),
      });
      await client.start();
      await new Promise((resolve) => setTimeout(resolve, 0));
      const { clientMessageId } = client.enqueue(1, "hello");
      const { connection } = client.state;
      await client.close();
      return { connection, clientMessageId };
    })()`,
    context,
  );
  expect(urls).toEqual(["ws://localhost:8001/session"]);
  expect(sent).toHaveLength(1);
  expect(state).toMatchObject({
    connection: "greeting",
    clientMessageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
});
