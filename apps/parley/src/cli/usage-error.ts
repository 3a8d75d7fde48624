/** The command was not used as it can be; the message says how. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
