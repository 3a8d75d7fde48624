// Sign-ins that `parley login` leaves for later commands: one for each cluster, in a file that only
// its owner can read.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const signInSchema = z.object({
  username: z.string(),
  token: z.string(),
  /** Revision of the sign-in: a node that has not applied it yet must not refuse the token. */
  token_revision: z.number(),
  /** The highest revision that commands have seen; later ones see nothing older (P4). */
  seen_revision: z.number(),
  cluster_id: z.string(),
  servers: z.array(z.string()),
});
const fileSchema = z.object({ sign_ins: z.array(signInSchema) });

export type SavedSignIn = z.infer<typeof signInSchema>;

const SAVED_MAX = 32;

export class SavedSignIns {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The one for a cluster that has one of these servers. */
  find(servers: readonly string[]): SavedSignIn | undefined {
    return this.#load().find((one) => one.servers.some((server) => servers.includes(server)));
  }

  /** Replaces what was saved for that cluster or those servers. */
  save(signIn: SavedSignIn): void {
    this.#store([signIn, ...this.#others(signIn)].slice(0, SAVED_MAX));
  }

  remove(signIn: SavedSignIn): void {
    this.#store(this.#others(signIn));
  }

  #others({ cluster_id: clusterId, servers }: SavedSignIn): readonly SavedSignIn[] {
    return this.#load().filter(
      (one) =>
        (one.cluster_id !== clusterId || clusterId === "") &&
        !one.servers.some((server) => servers.includes(server)),
    );
  }

  #path(): string {
    return join(this.#folder, "sign-ins.json");
  }

  /** Nothing, when there is none or it cannot be understood. */
  #load(): readonly SavedSignIn[] {
    try {
      return fileSchema.parse(JSON.parse(readFileSync(this.#path(), "utf8"))).sign_ins;
    } catch {
      return [];
    }
  }

  #store(signIns: readonly SavedSignIn[]): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const scratch = `${this.#path()}.${process.pid}.tmp`;
    writeFileSync(scratch, `${JSON.stringify({ sign_ins: signIns }, undefined, 2)}\n`, {
      mode: 0o600,
    });
    renameSync(scratch, this.#path());
  }
}
