// A part of the page that comes later: its node may be dead just then, and another one, or the same, has it soon.

const RETRY_MS = 1_000;

/** Asks until it is there: a lazy component that fails would take the whole page with it. */
export async function eventually<Part>(load: () => Promise<Part>): Promise<Part> {
  for (;;) {
    try {
      return await load();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
