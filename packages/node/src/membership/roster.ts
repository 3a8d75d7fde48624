// Who is who, now: the membership as of the applied index, and what was heard of members that this node has
// not learnt of yet because it is behind.
import type { PeerHello, ServerRecord } from "@parley/protocol";
import { MemberRole } from "@parley/protocol";
import type { ConfChange, ConfState } from "@parley/raft";
import type { Membership } from "../ports.ts";
import {
  afterChange,
  currentServers,
  isWitness,
  memberIds,
  type Standing,
  serverOfRaftId,
  standingOf,
} from "./membership.ts";

interface Place {
  readonly address: string;
  readonly httpAddress: string;
}

/** Members that are not in the table yet; a cluster adds one at a time (P11). */
const MET_MAX = 16;

export class Roster {
  readonly #self: ServerRecord;
  #membership: Membership;
  /** By raft id: members of this cluster that introduced themselves before this node applied their addition. */
  readonly #met = new Map<number, ServerRecord>();
  /** Where members are, when that is not where the table has them. */
  readonly #places = new Map<number, Place>();
  readonly #listeners: (() => void)[] = [];
  #isRemoved = false;
  /** The membership is as of this index: every change up to it is in it, and none after it. */
  #asOf: number;
  #witnesses: ReadonlySet<number>;
  /** What `servers` gave; undefined = something has changed since. */
  #servers: readonly ServerRecord[] | undefined;

  /** `asOf`: the index that the membership is as of. `places`: where this node's own configuration has the servers of these raft ids. */
  constructor(
    self: ServerRecord,
    membership: Membership,
    asOf: number,
    places: ReadonlyMap<number, Place> = new Map(),
  ) {
    this.#self = self;
    this.#membership = membership;
    this.#asOf = asOf;
    this.#witnesses = this.#findWitnesses();
    for (const [raftId, place] of places) this.#places.set(raftId, place);
  }

  get membership(): Membership {
    return this.#membership;
  }

  /** This node, as the table has it, or as it was told when it was admitted. */
  get self(): ServerRecord {
    const self = serverOfRaftId(this.#membership, this.#self.raftId) ?? this.#self;
    return this.#placed(self);
  }

  get raftId(): number {
    return this.#self.raftId;
  }

  get standing(): Standing {
    if (this.#isRemoved) return "removed";
    return standingOf(this.#membership, this.#self.raftId);
  }

  /** The others have said that this server was removed; this node may never see the entry that did it. */
  removed(): void {
    this.#isRemoved = true;
  }

  /** Called when the table, or who was met, has changed. */
  onChanged(listener: () => void): void {
    this.#listeners.push(listener);
  }

  get asOf(): number {
    return this.#asOf;
  }

  /** The configuration change at `index` was applied to the core. */
  apply(index: number, change: ConfChange, confState: ConfState): Membership {
    this.replace(afterChange(this.#membership, change, confState), index);
    return this.#membership;
  }

  /** An installed copy of the chat file brought its own. */
  replace(membership: Membership, asOf: number): void {
    this.#membership = membership;
    this.#asOf = asOf;
    this.#witnesses = this.#findWitnesses();
    this.#servers = undefined;
    for (const raftId of this.#met.keys()) {
      if (standingOf(membership, raftId) !== "expected") this.#met.delete(raftId);
    }
    for (const raftId of this.#places.keys()) {
      if (standingOf(membership, raftId) === "removed") this.#places.delete(raftId);
    }
    this.#changed();
  }

  /** A peer of this cluster introduced itself: it knows best where it is. */
  met(hello: PeerHello): void {
    const { nodeId, raftId, serverUuid, address, httpAddress } = hello;
    if (address === "" || this.server(raftId)?.address === address) return;
    if (this.isMember(raftId)) {
      this.#places.set(raftId, { address, httpAddress });
    } else {
      if (!this.#met.has(raftId) && this.#met.size >= MET_MAX) return;
      const role = MemberRole.MEMBER_ROLE_UNSPECIFIED;
      this.#met.set(raftId, { nodeId, raftId, serverUuid, address, httpAddress, role });
    }
    this.#changed();
  }

  /** The servers of the table, one for each node id, in their order; the same list until something changes. */
  servers(): readonly ServerRecord[] {
    this.#servers ??= currentServers(this.#membership).map((server) => this.#placed(server));
    return this.#servers;
  }

  /** Everyone else to have a link to. */
  peers(): readonly ServerRecord[] {
    const others = [...this.#membership.servers, ...this.#met.values()];
    return others
      .filter(({ raftId }) => raftId !== this.raftId)
      .map((server) => this.#placed(server));
  }

  server(raftId: number): ServerRecord | undefined {
    if (raftId === this.raftId) return this.self;
    const server = serverOfRaftId(this.#membership, raftId) ?? this.#met.get(raftId);
    return server === undefined ? undefined : this.#placed(server);
  }

  /** 0 = nobody, or not known. */
  nodeIdOf(raftId: number): number {
    return this.server(raftId)?.nodeId ?? 0;
  }

  /** Whether it is one never changes, and stands in the table before it has a vote. */
  isWitness(raftId: number): boolean {
    return this.#witnesses.has(raftId);
  }

  isMember(raftId: number): boolean {
    return memberIds(this.#membership).has(raftId);
  }

  #findWitnesses(): ReadonlySet<number> {
    const servers = [this.#self, ...this.#membership.servers];
    return new Set(servers.filter(isWitness).map(({ raftId }) => raftId));
  }

  #placed(server: ServerRecord): ServerRecord {
    const place = this.#places.get(server.raftId);
    return place === undefined ? server : { ...server, ...place };
  }

  #changed(): void {
    this.#servers = undefined;
    for (const listener of this.#listeners) listener();
  }
}
