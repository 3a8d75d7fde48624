// Copies of the chat file between this node and its peers: what the core sends as MsgSnap leaves as a copy
// on a stream of its own, and what arrives so is told to the core when all of it is here, verified.
import { ParleyError } from "@parley/protocol";
import type { Message } from "@parley/raft";
import type { NodeTuning } from "../config.ts";
import type { Roster } from "../membership/roster.ts";
import type { PeerMesh } from "../peers/peer-mesh.ts";
import type { NodePorts } from "../ports.ts";
import type { Driver } from "../replication/driver.ts";
import type { LogCache } from "../replication/log-cache.ts";
import type { CopyOffer } from "./copy-codec.ts";
import type { ChatFileDamaged, CopyHead, CopyStore } from "./copy-ports.ts";
import type { CopyTaker } from "./copy-receiver.ts";
import { CopySender } from "./copy-sender.ts";
import { CopyShelf } from "./copy-shelf.ts";

/** After a transfer that failed the core is told so this much later, and begins again. */
const RETRY_MS = 500;

export class CopyExchange implements CopyTaker {
  readonly shelf: CopyShelf;
  readonly sender: CopySender;
  readonly #driver: Driver;
  readonly #tuning: NodeTuning;
  readonly #ports: NodePorts;
  /** Peers whose request for a copy is being served. */
  readonly #serving = new Set<number>();
  readonly #isWitness: boolean;
  #closed = false;
  /** For metrics and coverage. */
  installed = 0;

  constructor(
    driver: Driver,
    mesh: PeerMesh,
    roster: Roster,
    cache: LogCache,
    tuning: NodeTuning,
    ports: NodePorts,
    onDamaged: (error: ChatFileDamaged) => void,
  ) {
    this.#driver = driver;
    this.#tuning = tuning;
    this.#ports = ports;
    this.#isWitness = roster.isWitness(roster.raftId);
    this.shelf = new CopyShelf(
      ports,
      tuning,
      {
        get compactedIndex() {
          return cache.compactedIndex;
        },
        get applied() {
          return driver.raft.applied;
        },
        get membership() {
          return roster.membership;
        },
      },
      { onReady: () => driver.entriesLoaded(), onDamaged },
    );
    this.sender = new CopySender(ports, mesh, this.shelf, tuning);
  }

  /** For operators. */
  take(minRevision: number): Promise<CopyHead> {
    return this.shelf.take(minRevision);
  }

  hold(head: CopyHead): void {
    this.shelf.hold(head);
  }

  release(head: CopyHead): void {
    this.shelf.release(head);
  }

  get copies(): CopyStore {
    return this.#ports.chatStore.copies;
  }

  get neededFrom(): number {
    return this.shelf.neededFrom;
  }

  tidy(): void {
    this.shelf.tidy();
  }

  close(): void {
    this.#closed = true;
    this.sender.close();
  }

  /** The core's MsgSnap: the copy that it is about goes to that peer. */
  send(message: Message): void {
    const { snapshot, to } = message;
    const head = snapshot === null ? undefined : this.shelf.headOf(snapshot);
    if (head === undefined) {
      this.#report(to, false);
      return;
    }
    this.sender.send(to, { head, message }).then(({ kind }) => {
      if (kind === "done") this.#report(to, true);
      else this.#ports.clock.after(RETRY_MS, () => this.#report(to, false));
    });
  }

  /** A peer whose chat file is lost asks for a copy. */
  requested(peerId: number, minIndex: number): void {
    // Behind the one that asks, or a witness: another one will do.
    if (this.#isWitness || this.#serving.has(peerId) || this.#driver.raft.applied < minIndex)
      return;
    this.#serving.add(peerId);
    this.shelf
      .take(minIndex)
      .then((head) => {
        if (head.index < minIndex || this.#closed) return undefined;
        return this.sender.send(peerId, { head, message: undefined });
      })
      .catch(() => {
        // The shelf has said why there is none; the peer asks again, or somebody else.
      })
      .finally(() => this.#serving.delete(peerId));
  }

  leads(peerId: number): boolean {
    return this.#driver.raft.lead === peerId;
  }

  async refusal(_peerId: number, { head, message }: CopyOffer): Promise<ParleyError | undefined> {
    if (this.#isWitness)
      return new ParleyError("WITNESS", "this node is a witness and keeps no chat");
    if (message === undefined) {
      return new ParleyError(
        "INVALID_ARGUMENT",
        "this node has a chat state and asked for no copy",
      );
    }
    if (this.#driver.acknowledgeSnapshot(message)) {
      return new ParleyError("INVALID_ARGUMENT", `this node has ${head.index} already`);
    }
    return await roomFor(head.bytes, this.#tuning, this.#ports);
  }

  async install({ head, message }: CopyOffer): Promise<boolean> {
    if (message === undefined || this.#closed) return false;
    const isInstalled = await this.#driver.stepSnapshot(message, head);
    if (isInstalled) this.installed += 1;
    return isInstalled;
  }

  #report(peerId: number, ok: boolean): void {
    if (this.#closed) return;
    this.#driver.guard(() => this.#driver.raft.reportSnapshot(peerId, ok));
    this.#driver.schedulePump();
  }
}

/** Undefined = there is room for a copy of so many bytes, and the disk's reserve stays. */
export async function roomFor(
  bytes: number,
  tuning: NodeTuning,
  ports: Pick<NodePorts, "logStore">,
): Promise<ParleyError | undefined> {
  const free = await ports.logStore.freeBytes();
  if (free - bytes >= tuning.diskReserveBytes) return undefined;
  return new ParleyError(
    "DISK_FULL",
    `a copy of ${bytes} bytes does not fit: the disk has only ${free} left`,
  );
}
