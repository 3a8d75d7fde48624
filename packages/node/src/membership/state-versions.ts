// Rolling upgrades, the leader's part: the version of the replicated state rises when every member knows the next one
// (DESIGN section 5, @parley/chat's state-version.ts). Members say what they know in their reports and hellos.
import {
  type Admission,
  raiseStateVersionCommand,
  STATE_VERSION_FIRST,
  stampCommand,
} from "@parley/chat";
import { Command, encode, ParleyError } from "@parley/protocol";
import type { Contacts } from "../peers/contacts.ts";
import type { Clock, Logger } from "../ports.ts";
import type { Driver } from "../replication/driver.ts";
import { isWitness } from "./membership.ts";
import type { Roster } from "./roster.ts";

/** 0 is how a program from before there were versions says 1. */
export function knownVersion(said: number): number {
  return Math.max(said, STATE_VERSION_FIRST);
}

export class StateVersions {
  /** What this node's own program knows. */
  readonly known: number;
  readonly #admission: Admission;
  readonly #roster: Roster;
  readonly #contacts: Contacts;
  readonly #driver: Driver;
  readonly #ports: { readonly clock: Clock; readonly logger: Logger };
  /** The version that stands in the log as this leader's proposal. */
  #proposed = { term: 0, version: 0 };

  constructor(
    known: number,
    admission: Admission,
    roster: Roster,
    contacts: Contacts,
    driver: Driver,
    ports: { readonly clock: Clock; readonly logger: Logger },
  ) {
    this.known = known;
    this.#admission = admission;
    this.#roster = roster;
    this.#contacts = contacts;
    this.#driver = driver;
    this.#ports = ports;
  }

  /** To be called now and then while this node leads and changes no membership. */
  tick(): void {
    const version = this.#knownToAll();
    if (version <= this.#underWay()) return;
    const { clock, logger } = this.#ports;
    const command = encode(Command, raiseStateVersionCommand(version));
    const stampMs = Math.floor(clock.wallMs());
    this.#driver.guard(() => {
      const { raft } = this.#driver;
      // Never forwarded to another leader, who may have heard otherwise since.
      const result = raft.propose([stampCommand(command, stampMs)]);
      if (!result.ok || result.kind !== "appended") return;
      this.#proposed = { term: raft.term, version };
      const from = this.#admission.stateVersion;
      logger.info({ event: "state-version", from, to: version }, "the state's version rises");
    });
    this.#driver.schedulePump();
  }

  /** What the state has, or will have when this leader's proposal is applied. */
  #underWay(): number {
    const { term, version } = this.#proposed;
    const { stateVersion } = this.#admission;
    return term === this.#driver.raft.term ? Math.max(version, stateVersion) : stateVersion;
  }

  /** Why a server whose program knows `said` can't become a member; undefined = it can. */
  refusal(nodeId: number, said: number): ParleyError | undefined {
    const needed = this.#underWay();
    const known = knownVersion(said);
    if (known >= needed) return undefined;
    return new ParleyError(
      "TOO_OLD",
      `Server ${nodeId} runs a program that knows state versions up to ${known}, and this cluster's state has version ${needed}: ` +
        "start the newer Parley there.",
    );
  }

  /** The newest version that all members with a chat state know; one that is not heard of may know none but the first. */
  #knownToAll(): number {
    let version = this.known;
    for (const server of this.#roster.membership.servers) {
      const { raftId } = server;
      if (isWitness(server) || raftId === this.#roster.raftId) continue;
      const report = this.#contacts.isLive(raftId) ? this.#contacts.reportOf(raftId) : undefined;
      version = Math.min(version, knownVersion(report?.stateVersion ?? 0));
    }
    return version;
  }
}
