// Which tab of a browser tells of something: none while somebody looks at one of them, else exactly one. A tab asks the others, and tells when
// none of them says "hush" for a moment. Tabs hear of a message at different times, from different nodes: whoever has told says so, and goes on saying so.

/** `ask`: I would tell of this, and whoever has a higher id leaves it to me. `hush`: it is seen here, or told already. */
export interface TabWord {
  readonly kind: "ask" | "hush";
  readonly key: string;
  readonly id: string;
}

/** As much of `BroadcastChannel` as is used here. */
export interface TabChannel {
  postMessage(word: TabWord): void;
  onmessage: ((event: MessageEvent<TabWord>) => void) | null;
  close(): void;
}

export interface TabAgreementOptions {
  /** Undefined = the browser has none: each tab decides for itself. */
  readonly channel: TabChannel | undefined;
  readonly isLookedAt: () => boolean;
  /** Of this tab, and of no other. */
  readonly id: string;
}

/** A tab that is looked at answers within a few milliseconds, unless it is very busy. */
export const ANSWER_MS = 300;
const TOLD_MAX = 500;

export class TabAgreement {
  readonly #options: TabAgreementOptions;
  /** What is asked now, by key. */
  readonly #asked = new Map<string, (isMine: boolean) => void>();
  /** What nobody needs to tell any more, oldest first. */
  readonly #settled = new Set<string>();

  constructor(options: TabAgreementOptions) {
    this.#options = options;
    if (options.channel !== undefined) options.channel.onmessage = ({ data }) => this.#hear(data);
  }

  /** Whether this tab is the one to tell of `key`. */
  async claim(key: string): Promise<boolean> {
    if (this.#options.isLookedAt() || this.#settled.has(key)) return false;
    if (this.#options.channel !== undefined && !(await this.#ask(key))) return false;
    if (this.#options.isLookedAt()) return false;
    this.#settle(key);
    this.#say("hush", key);
    return true;
  }

  close(): void {
    for (const answer of [...this.#asked.values()]) answer(false);
    this.#options.channel?.close();
  }

  #ask(key: string): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => answer(true), ANSWER_MS);
      const answer = (isMine: boolean) => {
        clearTimeout(timer);
        this.#asked.delete(key);
        resolve(isMine);
      };
      this.#asked.set(key, answer);
      this.#say("ask", key);
    });
  }

  #hear({ kind, key, id }: TabWord): void {
    if (kind === "hush") {
      this.#settle(key);
      this.#asked.get(key)?.(false);
      return;
    }
    if (this.#settled.has(key) || this.#options.isLookedAt()) this.#say("hush", key);
    else if (id < this.#options.id) this.#asked.get(key)?.(false);
    else if (this.#asked.has(key)) this.#say("ask", key);
  }

  #say(kind: TabWord["kind"], key: string): void {
    this.#options.channel?.postMessage({ kind, key, id: this.#options.id });
  }

  #settle(key: string): void {
    this.#settled.add(key);
    const [oldest] = this.#settled;
    if (this.#settled.size > TOLD_MAX && oldest !== undefined) this.#settled.delete(oldest);
  }
}
