/** What the process ends with; stable, for service managers and scripts. */
export const ExitCode = {
  ok: 0,
  /** A request failed, or a node cannot go on (storage, a broken invariant). */
  failure: 1,
  /** The command line or the configuration cannot be used. */
  usage: 2,
  /** The address cannot be listened on. */
  addressInUse: 3,
  /** No server could be reached in time. */
  unavailable: 4,
  /** Signed in with the wrong name or password, not at all, or without the right. */
  notAllowed: 5,
} as const;
