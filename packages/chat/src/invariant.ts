// What stops a node: a state that must not exist. Never caught, never answered with a refusal.

/** A broken invariant of the replicated state. The node that sees one must stop. */
export class InvariantViolation extends Error {
  override readonly name = "InvariantViolation";
}

/** Throws an InvariantViolation that names what should have held. */
export function invariant(holds: boolean, what: string): asserts holds {
  if (!holds) throw new InvariantViolation(what);
}

/** The value, which by the named invariant is there. */
export function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new InvariantViolation(what);
  return value;
}
