// The browser entry as a page gets it: one script that leaves its exports in `parley`.
import { fileURLToPath } from "node:url";
import { build, type Rollup } from "vite";

export const BROWSER_ENTRY = "../../src/browser/index.ts";

/** `entry`: relative to this file. */
export async function bundle(entry: string): Promise<Rollup.OutputChunk> {
  const outputs = await build({
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      minify: false,
      lib: {
        entry: fileURLToPath(new URL(entry, import.meta.url)),
        formats: ["iife"],
        name: "parley",
      },
    },
  });
  const [output] = Array.isArray(outputs) ? outputs : [outputs];
  if (output === undefined || !("output" in output)) throw new Error("no bundle");
  return output.output[0];
}
