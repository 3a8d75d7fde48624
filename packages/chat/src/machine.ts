import type { ChatDatabase } from "./database.ts";
import { InvariantViolation } from "./invariant.ts";
import type { AdmissionSnapshot, AppliedBatch, CommittedEntry } from "./types.ts";

export interface StateHash {
  readonly appliedIndex: number;
  /** Hexadecimal. */
  readonly hash: string;
}

export class ChatMachine {
  readonly appliedIndex: number = 0;
  readonly appliedTerm: number = 0;
  readonly stampMs: number = 0;
  static open(_db: ChatDatabase): ChatMachine {
    throw new InvariantViolation("not here yet");
  }
  /** The encoded configuration, opaque here; undefined in a new file. */
  confState(): Uint8Array | undefined {
    return undefined;
  }
  apply(_entries: readonly CommittedEntry[], _confState?: Uint8Array): AppliedBatch {
    throw new InvariantViolation("not here yet");
  }
  admissionSnapshot(): AdmissionSnapshot {
    throw new InvariantViolation("not here yet");
  }
  stateHash(_atIndex: number): StateHash | undefined {
    return undefined;
  }
  recomputeHash(): string {
    return "";
  }
}
