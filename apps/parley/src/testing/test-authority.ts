// Certificates for tests: an authority, and whatever it is asked to sign.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writePair } from "../certs/folder.ts";
import {
  type Authority,
  type Issued,
  issue,
  makeAuthority,
  type Validity,
} from "../certs/issue.ts";
import type { CertifiedRole } from "../tls/certified-name.ts";

const DAY_MS = 24 * 60 * 60_000;
export const EXPIRED: Validity = { days: 1, fromMs: Date.now() - 30 * DAY_MS };
export const NOT_YET: Validity = { days: 30, fromMs: Date.now() + 10 * DAY_MS };

export class TestAuthority {
  readonly #authority: Authority;

  private constructor(authority: Authority) {
    this.#authority = authority;
  }

  static async make(cluster = "lab"): Promise<TestAuthority> {
    return new TestAuthority(await makeAuthority(cluster, { days: 90 }));
  }

  /** PEM. */
  get ca(): string {
    return this.#authority.certificate;
  }

  async sign(
    role: CertifiedRole,
    name: string,
    options: { readonly hosts?: readonly string[]; readonly validity?: Validity } = {},
  ): Promise<Issued> {
    const { hosts = ["127.0.0.1", "localhost"], validity = { days: 90 } } = options;
    return await issue(this.#authority, { role, name }, hosts, validity);
  }

  /** `ca.crt` and the pairs of these nodes, as `parley certs` leaves them; what was there is replaced. */
  async equip(folder: string, nodeIds: readonly number[]): Promise<void> {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "ca.crt"), this.ca);
    for (const id of nodeIds) {
      writePair(folder, `node-${id}`, await this.sign("node", String(id)), true);
    }
  }
}
