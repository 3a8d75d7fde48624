// Servers that belong to no cluster yet and ask this node: members are handed the record at once, all others
// wait for what the leader says.
import {
  type AdmissionAnswer,
  type AdmissionRequest,
  type BootstrapRecord,
  ParleyError,
  type PeerHello,
} from "@parley/protocol";
import type { AdmissionOperation, LeaderRequests } from "../leader-requests.ts";
import type { PeerMesh } from "../peers/peer-mesh.ts";
import type { Clock, Logger } from "../ports.ts";
import { majorityOf, serverOfNode } from "./membership.ts";
import { type MembershipOffice, notAdmitted } from "./membership-office.ts";
import type { Roster } from "./roster.ts";

const INTERVAL_MS = 200;

export class Admissions {
  readonly #record: BootstrapRecord;
  readonly #roster: Roster;
  readonly #mesh: PeerMesh;
  readonly #office: MembershipOffice;
  readonly #requests: LeaderRequests;
  readonly #ports: { readonly clock: Clock; readonly logger: Logger };
  #lastMs = Number.NEGATIVE_INFINITY;
  #lastWarning = "";

  constructor(
    record: BootstrapRecord,
    roster: Roster,
    mesh: PeerMesh,
    office: MembershipOffice,
    requests: LeaderRequests,
    ports: { readonly clock: Clock; readonly logger: Logger },
  ) {
    this.#record = record;
    this.#roster = roster;
    this.#mesh = mesh;
    this.#office = office;
    this.#requests = requests;
    this.#ports = ports;
  }

  /** To be called now and then; `hurry` when the membership has changed. */
  tick(isLeader: boolean, leaderId: number, hurry = false): void {
    const now = this.#ports.clock.monotonicMs();
    if (!hurry && now - this.#lastMs < INTERVAL_MS) return;
    this.#lastMs = now;
    for (const hello of [...this.#mesh.enquirers()]) this.#consider(hello, isLeader, leaderId);
  }

  #consider(hello: PeerHello, isLeader: boolean, leaderId: number): void {
    const { nodeId, serverUuid, address, httpAddress, witness, stateVersion } = hello;
    const tell = (answer: AdmissionAnswer) => this.#mesh.tellEnquirer(serverUuid, answer);
    const { servers } = this.#roster.membership;
    const self = servers.find((server) => server.serverUuid === serverUuid);
    if (self !== undefined) {
      tell({ record: { ...this.#record, self }, address: "", refusal: undefined });
      return;
    }
    const request: AdmissionRequest = {
      nodeId,
      serverUuid,
      address,
      httpAddress,
      witness,
      stateVersion,
    };
    if (isLeader) {
      tell(this.#office.admit(request));
      return;
    }
    const operation: AdmissionOperation = { $case: "admission", value: request };
    const isAsked = this.#requests.relay(operation, ({ admission }) => {
      if (admission !== undefined) tell(admission);
    });
    if (!isAsked && leaderId === 0) tell(notAdmitted(this.#noLeader()));
  }

  /** Nobody can admit anyone now: say so, and whether that can pass. */
  #noLeader(): ParleyError {
    const { membership } = this.#roster;
    const wiped = this.#wiped();
    const left = membership.voters.length - wiped.length;
    const needed = majorityOf(membership.voters);
    if (left >= needed) {
      return new ParleyError(
        "NO_QUORUM",
        `cluster ${this.#record.clusterId} has no leader now: ${needed} of its ${membership.voters.length} voters must be alive`,
      );
    }
    const message =
      `Servers ${wiped.join(", ")} of cluster ${this.#record.clusterId} came back with empty disks. That leaves ${left} of ` +
      `${membership.voters.length} voters, and ${needed} are needed, so nobody can tell what was acknowledged: no new cluster ` +
      "is made out of this. Bring an old disk back, if there is one; else make a new cluster from a survivor's disk (`parley recover`) or a backup.";
    if (message !== this.#lastWarning) {
      this.#lastWarning = message;
      this.#ports.logger.error({ event: "majority-wiped", wiped, left, needed }, message);
    }
    return new ParleyError("WIPED_DISK", message);
  }

  /** Ids of the voters whose place somebody with another disk asks for. */
  #wiped(): readonly number[] {
    const { membership } = this.#roster;
    const ids = new Set<number>();
    for (const { nodeId, serverUuid } of this.#mesh.enquirers()) {
      const known = serverOfNode(membership, nodeId);
      if (known === undefined || known.serverUuid === serverUuid) continue;
      if (membership.voters.includes(known.raftId)) ids.add(nodeId);
    }
    return [...ids].sort((a, b) => a - b);
  }
}
