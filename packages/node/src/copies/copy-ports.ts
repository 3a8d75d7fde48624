// Copies of the chat file (DESIGN section 7): the file is the snapshot, and a copy of it is made only
// for a follower that the log can't catch up any more, for a backup or an operator.
import type { ConfState, HardState } from "@parley/raft";
import type { ChatStoreState, LogState, Membership } from "../ports.ts";

/** What a copy is, so that whoever gets it can tell whether it is whole. */
export interface CopyHead {
  /** Names this very copy: one that broke off may only be continued from the same bytes. */
  readonly copyId: string;
  /** The applied index that it is as of, and the term of the entry there. */
  readonly index: number;
  readonly term: number;
  /** The membership as of the index; the same is in the copy. */
  readonly confState: ConfState;
  readonly bytes: number;
  readonly sha256: Uint8Array;
  readonly stateHash: string;
  /** All that a witness gets: then there are no bytes to be received before it is installed. */
  readonly witness?: WitnessState;
}

/** What a witness has in the place of a chat file. */
export interface WitnessState {
  readonly membership: Membership;
  /** As of when the membership is: the index of the snapshot that it came with, or a later one. */
  readonly membershipIndex: number;
}

/** An error of a chat store: what is in the chat file is not what was written there. */
export interface ChatFileDamaged extends Error {
  readonly kind: "corrupt";
}

export function isChatFileDamaged(error: unknown): error is ChatFileDamaged {
  return error instanceof Error && "kind" in error && error.kind === "corrupt";
}

/** A part of a copy, and the CRC-32 of its bytes. */
export interface CopyPiece {
  readonly bytes: Uint8Array;
  readonly crc32: number;
}

/** A copy took the place of the chat file. */
export interface InstalledCopy {
  readonly log: LogState;
  readonly chat: ChatStoreState;
}

/**
 * The copies on this node's disk. What goes wrong here is no reason to stop: calls reject with an error
 * whose message says what happened, and what they had begun is cleaned up.
 */
export interface CopyStore {
  /**
   * Makes a copy at the applied index, in one read transaction beside the applying, and verifies it
   * from its rows. Rejects with a {@link ChatFileDamaged} when the chat file itself is damaged; the next start then verifies it.
   */
  make(copyId: string): Promise<CopyHead>;
  read(copyId: string, offset: number, length: number): Promise<CopyPiece>;
  remove(copyId: string): Promise<void>;
  /**
   * Makes ready to receive this copy, one at a time, and resolves with how much of it is durably here from
   * an earlier attempt. Another copy's remains are dropped.
   */
  receive(head: CopyHead): Promise<number>;
  /** Takes the next piece; rejects when its checksum does not fit. */
  write(offset: number, piece: CopyPiece): Promise<void>;
  /**
   * All of it is here: makes it durable and verifies that it is what its head says, its rows included. After
   * that it can be installed (`ChatStore.install`). Rejects, and drops it, otherwise.
   */
  finish(head: CopyHead): Promise<void>;
  /** Drops what was received. */
  discard(): Promise<void>;
}

/** What a chat store adds for copies. */
export interface CopyInstaller {
  readonly copies: CopyStore;
  /**
   * Makes the received and verified copy the chat file, atomically with the log's reset: entries that
   * continue it stay, all others go; a crash leaves the old or the new. No apply may be under way. Reads that were asked
   * for before are answered from the old file, later ones from the new. A failure is final.
   */
  install(head: CopyHead, hardState: HardState | undefined): Promise<InstalledCopy>;
}
