// The client's times, in milliseconds, in one place. All are monotonic.
import { LIMITS } from "@parley/protocol";

export const TIMING = {
  /** To open the transport, and again to be welcomed; grows with an address's failures. */
  dialMs: 1_500,
  dialGrowthMax: 3,
  /** A quiet link is pinged after this … */
  pingAfterMs: 1_500,
  /** … counts as silent after this … */
  silenceMs: 3_000,
  /** … and is lost when the probe that follows is not answered within this. */
  probeMs: 500,
  /** A request unanswered for this long makes the client dial a second node. */
  unansweredMs: 700,
  /** After a second node was dialled in vain, the next one waits; doubling up to the bound. */
  hedgePauseMsMin: 1_000,
  hedgePauseMsMax: 8_000,
  /** … until there was no need of one for this long. */
  hedgeForgetMs: 30_000,
  /** How long a node may be without a quorum before the client looks for a better one. */
  quorumGraceMs: 1_000,
  /** Between two searches for a better node. */
  seekPauseMs: 2_000,
  /** A node that could not be dialled is told of after this, if the cluster still hears of it then. */
  unreachedShownMs: 4_000,
  /** What a node gets to answer one attempt; the request itself may live longer. */
  attemptMs: 10_000,
  /** A node that is this much overdue with an answer is broken. */
  overdueMs: 5_000,
  /** Between attempts after a refusal that a retry can help, doubling. */
  retryMsMin: 50,
  retryMsMax: 2_000,
  /** A longer pause that a node asks for (after wrong passwords) is told to the caller instead. */
  pauseShownMs: 3_000,
  /** A read that is older than what was seen is not shown before this, while others may be newer. */
  behindMs: 3_000,
  /** Once every node was found to be behind, further reads take what there is for so long. */
  relaxedMs: 5_000,
  /** No node had the cursor's revision: how long reads go on without events before another try. */
  resubscribeMs: 5_000,
  /** A sender of a shared outbox that makes no progress for this long is replaced. */
  takeOverMs: 2_000,
  /** A gap in the service that lasts no longer is not shown: it is a failover. */
  gapShownMs: 1_000,
  /** Whoever goes on typing says so this often, and nobody shows it for longer than that after the last word of it. */
  typingRepeatMs: 3_000,
  typingShownMs: LIMITS.typingEndsMs,
  /** So long after a session began, its subscription follows the newest events, and tells of all who read on. */
  receiptsSettleMs: 5_000,
  /** Between attempts to load the rooms anew. */
  reloadPauseMs: 1_000,
  readDeadlineMs: 10_000,
  writeDeadlineMs: 30_000,
} as const;
