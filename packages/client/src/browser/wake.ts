// A page learns from its browser that the network or the person came back; timers may have slept
// meanwhile, and a WebSocket over a dead network stays open and silent ("Failure" of the GUI design).

/** What is probed; a ParleyClient. */
export interface Probed {
  probe(): void;
}

/** The page's own events; `globalThis.window` and `document` unless a test has others. */
export interface WakeSources {
  readonly window: EventTarget;
  readonly document: EventTarget & { readonly visibilityState: DocumentVisibilityState };
}

/** Tests the link whenever the page wakes up. Returns how to stop it. */
export function probeOnWake(
  client: Probed,
  sources: WakeSources = { window: globalThis.window, document: globalThis.document },
): () => void {
  const listening = new AbortController();
  const { signal } = listening;
  const probe = () => client.probe();
  sources.window.addEventListener("online", probe, { signal });
  sources.window.addEventListener("pageshow", probe, { signal });
  sources.document.addEventListener(
    "visibilitychange",
    () => {
      if (sources.document.visibilityState === "visible") probe();
    },
    { signal },
  );
  return () => listening.abort();
}
