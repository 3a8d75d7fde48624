// Once before all browser tests: the page is built where its sources changed, and the cluster and the Chromium are started that the files share.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import type { TestProject } from "vitest/node";
import { DevCluster } from "../harness/dev-cluster.ts";
import { CHROMIUM, CHROMIUM_ARGS } from "./chromium.ts";
import { OWNER, sdkPerson } from "./sdk-person.ts";

const BUILD = fileURLToPath(new URL("../../scripts/build-web.mjs", import.meta.url));

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  execFileSync(process.execPath, [BUILD], { stdio: ["ignore", "inherit", "inherit"] });
  if (CHROMIUM === undefined) {
    console.error(
      "There is no Chromium here, so tests that need one are skipped. On Debian: apt-get install chromium-headless-shell; elsewhere PARLEY_CHROMIUM=path.",
    );
  }
  const [cluster, server] = await Promise.all([
    DevCluster.start(3),
    CHROMIUM === undefined
      ? undefined
      : chromium.launchServer({ executablePath: CHROMIUM, args: CHROMIUM_ARGS }),
  ]);
  const owner = await sdkPerson(cluster, OWNER);
  await owner.close();
  project.provide("clusterDir", cluster.dir);
  project.provide("chromiumAddress", server?.wsEndpoint() ?? "");
  return async () => {
    await server?.close();
    await cluster.destroy();
  };
}
