// Who is signed in: the token, the account, and when a refused token really means "signed out".
import type { Account, Welcome } from "@parley/protocol";

/** What a program keeps to be signed in again later. */
export interface Credentials {
  readonly token: string;
  /** The revision of the sign-in; 0 = not known. */
  readonly revision: number;
}

export class SignIn {
  #token: string;
  /** A node that has not applied this revision may not know the token yet. */
  #revision: number;
  #account: Account | undefined;

  constructor(credentials: Credentials) {
    this.#token = credentials.token;
    this.#revision = credentials.revision;
  }

  get token(): string {
    return this.#token;
  }

  get account(): Account | undefined {
    return this.#account;
  }

  signedIn(token: string, account: Account | undefined, revision: number): void {
    this.#token = token;
    this.#account = account;
    this.#revision = revision;
  }

  /** Returns whether anybody was signed in. */
  signedOut(): boolean {
    const was = this.#token !== "";
    this.signedIn("", undefined, 0);
    return was;
  }

  /**
   * What a welcome says about the token that was sent for it: `valid`, `invalid`, `lagging` when
   * the node may not have learned of it yet, `none` when no (or by now another) token is used.
   * A node that refuses a token outright has made sure that it is current; it is believed.
   */
  judge(welcome: Welcome, tokenSent: string): "valid" | "invalid" | "lagging" | "none" {
    if (tokenSent === "" || tokenSent !== this.#token) return "none";
    if (welcome.account !== undefined) return "valid";
    return welcome.revision < this.#revision ? "lagging" : "invalid";
  }

  welcomed(account: Account): void {
    this.#account = account;
  }
}
