// The first account of an instance that other machines can reach becomes its owner, so it takes more
// than being quick: a token that the node which makes the cluster prints (P10). The cluster's bootstrap
// record has its hash, so every node asks for the same one.
import type { Logger, Node } from "@parley/node";
import { isLoopback } from "../config/addresses.ts";
import type { ClusterConfig, ServerNode } from "../config/load.ts";
import { forgetSetupToken, type SetupToken, setupToken } from "./secrets.ts";

/** Whether any node of the instance can be reached from other machines. */
export function reachesBeyondLoopback({ nodes }: ClusterConfig): boolean {
  return nodes.some(({ host, listenHost }) => !isLoopback(host) || !isLoopback(listenHost));
}

/** The node that makes the cluster, as the node itself decides it: the one with the lowest id. */
function isMaker({ nodes }: ClusterConfig, self: ServerNode): boolean {
  return nodes.every(({ id }) => id >= self.id);
}

/** Made before the node starts; undefined where no token is needed, or another node makes it. */
export function setupTokenFor(config: ClusterConfig, self: ServerNode): SetupToken | undefined {
  if (!reachesBeyondLoopback(config) || !isMaker(config, self)) return undefined;
  return setupToken(self.dbPath);
}

/** Says what the first account needs while it is awaited, and forgets the token when it has come. */
export function announceSetup(
  node: Node,
  own: SetupToken | undefined,
  dbPath: string,
  logger: Logger,
): void {
  const awaited = node.awaitedSetupHash;
  if (awaited === undefined) {
    forgetSetupToken(dbPath);
    return;
  }
  if (own !== undefined && Buffer.from(awaited).equals(own.hash)) {
    logger.info(
      { event: "setup", file: own.path },
      `nobody owns this instance yet; its first account needs the set-up token ${own.token} ` +
        `(parley register --setup-token ${own.token} …)`,
    );
  } else {
    logger.info(
      { event: "setup" },
      "nobody owns this instance yet; its first account needs the set-up token that the node with the lowest id has printed",
    );
  }
  let isOver = false;
  const look = () => {
    if (isOver || node.awaitedSetupHash !== undefined) return;
    isOver = true;
    forgetSetupToken(dbPath);
    logger.info({ event: "setup" }, "the instance has an owner; the set-up token counts no longer");
  };
  // A copy of the chat file may bring the owner without an entry: then the next batch shows it.
  node.replica?.onApplied({ onEntry: () => {}, onBatchEnd: look, onJump: () => {} });
}
