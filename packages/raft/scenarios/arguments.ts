/** Reading the arguments of a command. */
import type { Directive } from "./datadriven.ts";
import { ScenarioError } from "./environment.ts";

/** A safe integer; `what` names it where there is none. */
export function integer(text: string | undefined, what: string): number {
  const value = text === undefined ? Number.NaN : Number(text);
  if (text === "" || !Number.isSafeInteger(value)) throw new ScenarioError(`no number: ${what}`);
  return value;
}

/** `true` or `false`. */
export function bool(text: string | undefined, what: string): boolean {
  if (text === "true") return true;
  if (text === "false") return false;
  throw new ScenarioError(`neither true nor false: ${what}`);
}

/** The first argument, which most commands take a member's id from. */
export function firstInteger({ args }: Directive): number {
  return integer(args[0]?.key, "the first argument");
}

/** The (first) value of `key=value`, if it is given. */
export function option({ args }: Directive, key: string): string | undefined {
  return args.find((arg) => arg.key === key)?.values[0];
}
