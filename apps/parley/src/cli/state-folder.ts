// Where the commands keep what must survive them (XDG base directory specification).
import { homedir } from "node:os";
import { join } from "node:path";

export function stateFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const base = environment.XDG_STATE_HOME;
  const root = base !== undefined && base !== "" ? base : join(homedir(), ".local", "state");
  return join(root, "parley");
}
