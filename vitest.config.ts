import { defineConfig } from "vitest/config";

const NODE_MODULES = "**/node_modules/**";
const BROWSER = "tests/browser/**/*.test.ts";

export default defineConfig({
  test: {
    // Two noisy cores: bounds are generous, tests wait for conditions and never for a time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    projects: [
      {
        test: {
          name: "parley",
          include: [
            "packages/*/{src,test}/**/*.test.ts",
            "apps/*/{src,test}/**/*.test.{ts,tsx}",
            "tests/**/*.test.ts",
          ],
          exclude: [NODE_MODULES, BROWSER],
        },
      },
      {
        test: {
          name: "browser",
          include: [BROWSER],
          exclude: [NODE_MODULES],
          globalSetup: "tests/browser/global-setup.ts",
          // One worker, and no new one for each file: what all share is loaded once. Nothing else runs beside them.
          maxWorkers: 1,
          isolate: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
