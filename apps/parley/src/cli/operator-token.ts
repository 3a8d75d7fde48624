// By what right a command speaks to the cluster's operators' service: the operator token of a node on
// this machine, or a login. (A certificate comes with the connection; see trust.ts.)

import { join } from "node:path";
import { readClusterFile } from "../dev/cluster-file.ts";
import { OPERATOR_TOKEN_FILE, readSecret } from "../server/secrets.ts";
import { savedSignIns } from "./connection.ts";
import { devFolderAbove } from "./servers.ts";

/** The dev cluster's token, when these are its servers. */
function foundToken(servers: readonly string[], folder: string): string | undefined {
  const devFolder = devFolderAbove(folder);
  if (devFolder === undefined) return undefined;
  const nodes = readClusterFile(devFolder)?.nodes ?? [];
  if (!nodes.some((node) => servers.includes(node.grpc))) return undefined;
  try {
    return readSecret(join(devFolder, OPERATOR_TOKEN_FILE));
  } catch {
    // Somebody else's cluster: there are other ways in.
    return undefined;
  }
}

/**
 * The bearer token for `Cluster` calls, first match: PARLEY_OPERATOR_TOKEN, the operator token of the dev cluster at or
 * above the current folder, PARLEY_TOKEN, what `parley login` saved. Undefined = none.
 */
export function operatorBearer(
  servers: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
  folder = process.cwd(),
): string | undefined {
  const given = environment.PARLEY_OPERATOR_TOKEN;
  if (given !== undefined && given !== "") return given;
  return (
    foundToken(servers, folder) ?? environment.PARLEY_TOKEN ?? savedSignIns().find(servers)?.token
  );
}
