// How much the leader still has to send a member. Operators see it while a server catches up.

export interface LogExtent {
  /** The log begins after this index; what was before is in the chat file alone. */
  readonly compactedIndex: number;
  readonly lastIndex: number;
  readonly logBytes: number;
  readonly chatBytes: number;
}

/** A copy of the chat file that is being sent. */
export interface CopyUnderWay {
  /** It holds everything up to this index. */
  readonly index: number;
  readonly bytesLeft: number;
}

/** Bytes, estimated: entries count at the average size of those in the log. `match`: what the member has on its disk. */
export function bytesToGo(match: number, log: LogExtent, copy: CopyUnderWay | undefined): number {
  const { compactedIndex, lastIndex, logBytes, chatBytes } = log;
  const entryBytes = logBytes / Math.max(1, lastIndex - compactedIndex);
  const needsCopy = match < compactedIndex;
  const copyBytes = copy?.bytesLeft ?? (needsCopy ? chatBytes : 0);
  const from = Math.max(match, copy?.index ?? compactedIndex);
  return Math.round(copyBytes + Math.max(0, lastIndex - from) * entryBytes);
}
