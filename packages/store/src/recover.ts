/**
 * A new cluster from one disk of a cluster that has lost its majority for good. The disk is only read: what is made of it, another
 * `db_path`, holds everything that stands in its log, acknowledged or not, and belongs to another cluster.
 */
import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { ChatMachine } from "@parley/chat";
import type { Membership, NodeIdentity } from "@parley/node/ports";
import { Command } from "@parley/protocol";
import type { Entry, HardState } from "@parley/raft";
import { verifyHash, verifyStructure } from "./chat-file.ts";
import { decodeConfState } from "./conf-state-codec.ts";
import { StorageError } from "./errors.ts";
import { chatPath, removeWithSidecars, syncDirectoryOf } from "./files.ts";
import { LogEngine } from "./log-engine.ts";
import { GENERATION_OF_NEW, mustBeEmpty, syncFile } from "./new-disk.ts";

/** What a disk tells of the cluster that it belonged to. */
export interface DiskSurvey {
  /** Undefined on a disk that never belonged to one. */
  readonly identity: NodeIdentity | undefined;
  readonly hardState: HardState;
  /** The newest entry of the log. */
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** Up to where the chat file has it. */
  readonly appliedIndex: number;
  /** As of the applied index. */
  readonly membership: Membership | undefined;
  /** Replicated time of the newest command in the log or the chat, milliseconds since the Unix epoch. */
  readonly newestMs: number;
}

const SLICE_BYTES = 4 * 1024 * 1024;
const NO_COMMAND = new Uint8Array(0);

/** Looks at a stopped server's disk. Throws a StorageError: `locked` while the server runs, `wiped`, `invalid`. */
export function surveyDisk(dbPath: string): DiskSurvey {
  return withDisk(dbPath, (engine, db) => {
    const machine = ChatMachine.open(db);
    const { identity, hardState, lastIndex, lastTerm } = engine.state;
    const confState = machine.confState();
    let newestMs = machine.stampMs;
    for (const entry of entriesAfter(engine, machine.appliedIndex)) {
      newestMs = Math.max(newestMs, stampOf(entry));
    }
    return {
      identity,
      hardState,
      lastIndex,
      lastTerm,
      appliedIndex: machine.appliedIndex,
      membership: confState === undefined ? undefined : decodeConfState(confState),
      newestMs,
    };
  });
}

/**
 * Makes the disk at `target`, where nothing may be, from the one at `source`. Throws a StorageError, and leaves nothing behind, when
 * that can't be done. `identity`: of the only member of the new cluster.
 */
export function recoverNode(source: string, target: string, identity: NodeIdentity): void {
  mustBeEmpty(target);
  const path = chatPath(target, GENERATION_OF_NEW);
  withDisk(source, (engine, db) => {
    const { lastIndex, lastTerm, hardState } = engine.state;
    try {
      db.prepare("VACUUM INTO ?").run(path);
      applyAll(path, engine);
    } catch (cause) {
      removeWithSidecars(path);
      throw StorageError.from(cause, path, "making the chat file");
    }
    const made = LogEngine.open(target);
    try {
      made.install({
        generation: GENERATION_OF_NEW,
        position: { index: lastIndex, term: lastTerm },
        hardState: { term: Math.max(hardState.term, lastTerm), vote: 0, commit: lastIndex },
      });
      // Last: without it the disk is nobody's.
      made.setIdentity(identity);
    } finally {
      made.close();
    }
  });
}

function withDisk<T>(dbPath: string, work: (engine: LogEngine, db: DatabaseSync) => T): T {
  if (!existsSync(dbPath)) {
    throw new StorageError(
      "invalid",
      dbPath,
      `${dbPath}: there is no such file; name the db_path of a server`,
    );
  }
  const engine = LogEngine.open(dbPath);
  try {
    if (engine.witnessState !== undefined) {
      throw new StorageError(
        "invalid",
        dbPath,
        `${dbPath}: a witness keeps no chat; take the disk of a data node`,
      );
    }
    const path = chatPath(dbPath, engine.chatGeneration);
    if (!existsSync(path)) {
      throw new StorageError(
        "invalid",
        path,
        `${path}: the chat file is gone; take another disk, or a backup`,
      );
    }
    const db = new DatabaseSync(path);
    try {
      verifyStructure(db);
      return work(engine, db);
    } finally {
      db.close();
    }
  } finally {
    engine.close();
  }
}

function* entriesAfter(engine: LogEngine, index: number): Generator<Entry> {
  const { lastIndex } = engine.state;
  for (let next = index + 1; next <= lastIndex; ) {
    const slice = engine.readSlice(next, lastIndex + 1, SLICE_BYTES);
    yield* slice;
    next += slice.length;
  }
}

/** Everything in the log, whether this node has heard that it was acknowledged or not. */
function applyAll(path: string, engine: LogEngine): void {
  const db = new DatabaseSync(path);
  try {
    const machine = ChatMachine.open(db);
    verifyHash(machine);
    for (const { index, term, type, data } of entriesAfter(engine, machine.appliedIndex)) {
      const command = type === "EntryNormal" ? data : NO_COMMAND;
      machine.apply([{ index, term, command }]);
    }
    // The members of the new cluster are others.
    machine.forgetConfiguration();
  } finally {
    db.close();
  }
  syncFile(path);
  syncDirectoryOf(path);
}

function stampOf({ type, data }: Entry): number {
  if (type !== "EntryNormal" || data.length === 0) return 0;
  try {
    return Command.decode(data).stampMs;
  } catch {
    // Apply refuses what is no command.
    return 0;
  }
}
