// The checkers by what they listen to. A frame or a write is shown to a few of them; asking each of thirty whether it cares
// was felt at every event.
import type { Checker } from "./observer.ts";

type Hooks = Required<Omit<Checker, "property">>;
type Hook = keyof Hooks;

const HOOKS = [
  "onRaftMessage",
  "onLogWrite",
  "onLogDurable",
  "onRestart",
  "onInstalled",
  "onApplied",
  "onMembership",
  "onRaftMessageSent",
  "onCopyOffered",
  "onAdopted",
  "onWiped",
  "onInvoke",
  "onOutcome",
  "onSubscription",
  "onSpread",
  "onTypes",
  "onTypist",
  "onReceipt",
  "onDownload",
  "onMembers",
  "onSubscriberLost",
  "atEnd",
] as const satisfies readonly Hook[];

type Listeners = { readonly [H in Hook]: Hooks[H][] };

/** For each hook the checkers that have it, in the order in which they were added. */
export class Audience {
  readonly #listeners = Object.fromEntries(HOOKS.map((hook) => [hook, []])) as unknown as Listeners;

  add(...checkers: readonly Checker[]): void {
    for (const checker of checkers) for (const hook of HOOKS) this.#addTo(hook, checker);
  }

  #addTo<H extends Hook>(hook: H, checker: Checker): void {
    const listener = checker[hook] as Hooks[H] | undefined;
    if (listener !== undefined) this.#listeners[hook].push(listener.bind(checker) as Hooks[H]);
  }

  /** Whom to tell of something: call each. */
  get of(): { readonly [H in Hook]: readonly Hooks[H][] } {
    return this.#listeners;
  }
}
