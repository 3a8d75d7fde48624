// Builds what every node serves: one page, its script and styles under hashed names, and the service
// worker with the list of them. Run by `npm start` when the sources changed (scripts/build-web.mjs).
import { createHash } from "node:crypto";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** Tells the worker which files make up this build; its own bytes change with them, and so it is updated. */
function listOfFiles(): Plugin {
  return {
    name: "parley-list-of-files",
    enforce: "post",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        const files = Object.keys(bundle).filter((name) => name.startsWith("assets/"));
        const worker = bundle["sw.js"];
        if (worker?.type !== "chunk") throw new Error("the build has no sw.js");
        const hash = createHash("sha256").update(worker.code);
        const page = bundle["index.html"];
        if (page?.type === "asset") hash.update(page.source);
        const version = hash.update(files.join()).digest("hex").slice(0, 16);
        const list = JSON.stringify(
          JSON.stringify({ version, files: files.map((name) => `/${name}`) }),
        );
        worker.code = worker.code.replace(/["'`]__PARLEY_BUILD__["'`]/, list);
      },
    },
  };
}

export default defineConfig({
  root: import.meta.dirname,
  logLevel: "warn",
  plugins: [react(), listOfFiles()],
  build: {
    target: "es2023",
    // A page under a strict policy has no data: URLs and no inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The largest is the table of emoji: data, loaded when it is first needed.
    chunkSizeWarningLimit: 800,
    rolldownOptions: {
      input: ["index.html", "src/service-worker.ts"].map(
        (name) => `${import.meta.dirname}/${name}`,
      ),
      output: {
        // What the page and the dialogs that come later have in common: in several pieces it compresses less.
        codeSplitting: {
          groups: [{ name: "shared", test: /\/apps\/web\/src\//, minShareCount: 2 }],
        },
        entryFileNames: ({ name }) =>
          name === "service-worker" ? "sw.js" : "assets/[name]-[hash].js",
      },
    },
  },
});
