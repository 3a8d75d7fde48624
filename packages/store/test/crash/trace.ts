// Reads what strace saw of a process (`-f -y`, one file) and checks the order that makes an
// acknowledgement true (P1): the WAL written and synced, then the high-water record written through,
// and only then the acknowledgement.

export interface TracedCall {
  readonly call: string;
  /** The arguments as strace printed them. */
  readonly args: string;
  readonly result: number;
}

const COMPLETE = /^\d+\s+(\w+)\((.*)\)\s+=\s+(-?\d+)/;
const UNFINISHED = /^(\d+)\s+(\w+)\((.*?),? <unfinished \.\.\.>$/;
const RESUMED = /^(\d+)\s+<\.\.\. (\w+) resumed>(.*)\)\s+=\s+(-?\d+)/;

/**
 * The calls in the order in which they returned, but for writes to standard output, which count
 * from when they were made: that is when an acknowledgement may have left.
 */
export function parseTrace(trace: string): TracedCall[] {
  const calls: TracedCall[] = [];
  const unfinished = new Map<string, string>();
  for (const line of trace.split("\n")) {
    const begun = UNFINISHED.exec(line);
    if (begun !== null) {
      const [, thread = "", call = "", args = ""] = begun;
      if (isAck({ call, args, result: 0 })) calls.push({ call, args, result: 0 });
      else unfinished.set(thread, args);
      continue;
    }
    const resumed = RESUMED.exec(line);
    if (resumed !== null) {
      const [, thread = "", call = "", rest = "", result = "0"] = resumed;
      const args = unfinished.get(thread);
      if (args !== undefined) calls.push({ call, args: `${args}${rest}`, result: Number(result) });
      unfinished.delete(thread);
      continue;
    }
    const complete = COMPLETE.exec(line);
    if (complete !== null) {
      const [, call = "", args = "", result = "0"] = complete;
      calls.push({ call, args, result: Number(result) });
    }
  }
  return calls;
}

export interface TraceReport {
  readonly acks: number;
  readonly walSyncs: number;
  readonly recordWrites: number;
  /** One sentence for each acknowledgement, or record, that left too early. */
  readonly violations: readonly string[];
}

/** Checks every `ack` that the process wrote to its standard output. */
export function checkSyncBeforeAck(calls: readonly TracedCall[]): TraceReport {
  const violations: string[] = [];
  let acks = 0;
  let walSyncs = 0;
  let recordWrites = 0;
  let walDirty = false;
  let walWrittenSinceAck = false;
  let recordSinceAck = false;
  let recordIsWrittenThrough = false;
  for (const traced of calls) {
    if (traced.result < 0) continue;
    const { call, args } = traced;
    if (call.startsWith("open") && args.includes('-highwater"')) {
      recordIsWrittenThrough = args.includes("O_DSYNC") || args.includes("O_SYNC");
    } else if (isOn(args, "n1.db-wal")) {
      if (call.startsWith("pwrite") || call === "write") {
        walDirty = true;
        walWrittenSinceAck = true;
      } else if (call === "fsync" || call === "fdatasync") {
        walDirty = false;
        walSyncs += 1;
      }
    } else if (isOn(args, "n1.db-highwater") && (call.startsWith("pwrite") || call === "write")) {
      recordWrites += 1;
      recordSinceAck = true;
      if (walDirty) violations.push("the record was written before the log was synced");
      if (!recordIsWrittenThrough) violations.push("the record was not written through");
    } else if (isAck(traced)) {
      acks += 1;
      if (!walWrittenSinceAck) violations.push(`ack ${acks} left before the log was written`);
      if (walDirty) violations.push(`ack ${acks} left before the log was synced`);
      if (!recordSinceAck) violations.push(`ack ${acks} left before the record was written`);
      walWrittenSinceAck = false;
      recordSinceAck = false;
    }
  }
  return { acks, walSyncs, recordWrites, violations };
}

function isOn(args: string, file: string): boolean {
  return /^\d+<([^>]*)>/.exec(args)?.[1]?.endsWith(`/${file}`) ?? false;
}

function isAck({ call, args }: TracedCall): boolean {
  return call === "write" && args.startsWith("1<") && args.includes('"ack ');
}
