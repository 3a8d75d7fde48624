/** The one way out of an impossible state: stop, and say which invariant is broken. */

/** An invariant of the consensus core does not hold. The node must stop; its state can't be trusted. */
export class InvariantViolation extends Error {
  override readonly name = "InvariantViolation";
}

/** Stops unless `condition` holds. `message` is a function where building the text costs something. */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new InvariantViolation(typeof message === "string" ? message : message());
}

/** For branches that no state can reach; `never` lets the compiler prove that a switch is total. */
export function unreachable(value: never, what: string): never {
  throw new InvariantViolation(`unreachable: ${what} ${String(value)}`);
}
