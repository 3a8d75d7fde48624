// What the leader does about the membership (P8): carries out one change at a time, looks who listens before it
// adds a server, takes back servers that lost their disks, and promotes learners that have caught up.
//
// A server is added only after it has answered with its uuid. (The other way round, an entry with an empty uuid would be
// bound to whoever comes first under that id, and P9 would rest on nobody else coming.) So nothing is in the log
// before the server runs; who asks for it goes on asking, which makes the order of starting and adding indifferent.
import {
  type AddServerRequest,
  type AdmissionAnswer,
  type AdmissionRequest,
  type BootstrapRecord,
  BootstrapState,
  MemberRole,
  ParleyError,
  type PeerHello,
  PROTOCOL_VERSION,
  type Reason,
  type ServerRecord,
  type TransferLeadershipRequest,
} from "@parley/protocol";
import { uuidV4 } from "../ids.ts";
import type { LeaderAnswer, LeaderOffice, Operation } from "../leader-requests.ts";
import type { Contacts } from "../peers/contacts.ts";
import { whoListensAt } from "../peers/greeting.ts";
import type { Clock, Logger, PeerTransport, Random } from "../ports.ts";
import type { Driver } from "../replication/driver.ts";
import type { Succession } from "../succession.ts";
import { type AutopilotSettings, planOfAutopilot } from "./autopilot.ts";
import {
  CAUGHT_UP_ENTRIES,
  type Plan,
  planAdd,
  planDemote,
  planPromote,
  planReadmission,
  planRemove,
  planReplace,
  type Situation,
} from "./change-plan.ts";
import { encodeContext, isJoint, isWitness, serverOfNode } from "./membership.ts";
import type { Roster } from "./roster.ts";
import type { StateVersions } from "./state-versions.ts";

/** How long a learner's lag must have stayed small before it votes. */
const STEADY_MS = 1_000;
/** How long nothing must have been heard of a server before another disk takes its place. */
const GONE_MS = 2_000;
/** An operator's wish to add a server counts so long after it was last heard. */
const INVITATION_MS = 5_000;
const INVITATIONS_MAX = 16;
const LOOK_AGAIN_MS = 300;
/** What was seen there so long ago is looked at again before it is acted on. */
const SEEN_MS_MAX = 3_000;

interface Invitation {
  readonly address: string;
  /** Monotonic. */
  untilMs: number;
  isLooking: boolean;
  lookedMs: number;
  /** Who answered there. */
  seen: PeerHello | undefined;
  /** Why nobody who could be added did. */
  problem: ParleyError | undefined;
}

export interface OfficePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly transport: PeerTransport;
}

/** Its methods are called only while this node leads. */
export class MembershipOffice implements LeaderOffice {
  readonly #record: BootstrapRecord;
  readonly #roster: Roster;
  readonly #driver: Driver;
  readonly #contacts: Contacts;
  readonly #succession: Succession;
  readonly #versions: StateVersions;
  readonly #autopilot: AutopilotSettings;
  readonly #isConnected: (raftId: number) => boolean;
  readonly #ports: OfficePorts;
  readonly #invitations = new Map<number, Invitation>();
  /** Since when learners that are meant to vote have been close behind, by raft id. */
  readonly #closeSinceMs = new Map<number, number>();
  /** The change that this leader proposed last. */
  #proposed:
    | { readonly changeId: string; readonly term: number; readonly index: number }
    | undefined;
  #term = 0;
  /** Changes of earlier terms may stand up to here. */
  #firstIndexOfTerm = 0;

  constructor(
    record: BootstrapRecord,
    roster: Roster,
    driver: Driver,
    contacts: Contacts,
    succession: Succession,
    versions: StateVersions,
    autopilot: AutopilotSettings,
    isConnected: (raftId: number) => boolean,
    ports: OfficePorts,
  ) {
    this.#record = record;
    this.#roster = roster;
    this.#driver = driver;
    this.#contacts = contacts;
    this.#succession = succession;
    this.#versions = versions;
    this.#autopilot = autopilot;
    this.#isConnected = isConnected;
    this.#ports = ports;
  }

  // ---- Operators ---------------------------------------------------------------------------------

  answer(operation: Operation, changeId: string): LeaderAnswer {
    if (operation.$case === "transferLeadership") return this.#answerTransfer(operation.value);
    const { membership } = this.#roster;
    if (changeId !== "" && membership.lastChangeId === changeId) {
      return isJoint(membership) ? waiting("the change to complete") : { kind: "done" };
    }
    const underWay = this.#underWay();
    if (underWay === "earlier") return waiting("the new leader to know what was decided before");
    if (underWay !== undefined) {
      return underWay === changeId ? waiting("a majority to agree") : refused(inProgress());
    }
    if (operation.$case === "addServer") return this.#answerAdd(operation.value, changeId);
    return this.#carryOut(this.#planOf(operation), changeId);
  }

  #planOf(operation: Exclude<Operation, { $case: "addServer" | "transferLeadership" }>): Plan {
    const situation = this.#situation();
    switch (operation.$case) {
      case "promoteServer":
        return planPromote(situation, operation.value);
      case "demoteServer":
        return planDemote(situation, operation.value);
      case "removeServer":
        return planRemove(situation, operation.value);
      case "replaceServer":
        return planReplace(situation, operation.value);
      default:
        return operation satisfies never;
    }
  }

  #answerTransfer({ toId }: TransferLeadershipRequest): LeaderAnswer {
    const { membership, raftId } = this.#roster;
    const target = toId === 0 ? undefined : serverOfNode(membership, toId);
    if (target === undefined && toId !== 0) {
      return refused(new ParleyError("SERVER_NOT_FOUND", `There is no server ${toId}.`));
    }
    if (target?.raftId === raftId) return { kind: "done" };
    if (target !== undefined && !membership.voters.includes(target.raftId)) {
      return refused(
        new ParleyError(
          "INVALID_ARGUMENT",
          `Server ${toId} is no voter, so it can't lead: promote it first.`,
        ),
      );
    }
    if (target !== undefined && isWitness(target)) {
      return refused(
        new ParleyError(
          "INVALID_ARGUMENT",
          `Server ${toId} is a witness, which leads only when no other server can: name another one.`,
        ),
      );
    }
    if (target !== undefined && !this.#isLive(target.raftId)) {
      return refused(
        new ParleyError(
          "SERVER_UNREACHABLE",
          `Server ${toId} is not in contact with the leader: start it first.`,
        ),
      );
    }
    if (!this.#succession.handOver("an operator asked for it", target?.raftId)) {
      return refused(nobodyElse());
    }
    return waiting(`${toId === 0 ? "another server" : `server ${toId}`} to take over`);
  }

  #answerAdd({ id, address, learner }: AddServerRequest, changeId: string): LeaderAnswer {
    const role = learner ? MemberRole.MEMBER_ROLE_LEARNER : MemberRole.MEMBER_ROLE_VOTER;
    const existing = this.#roster.servers().find(({ nodeId }) => nodeId === id);
    if (existing !== undefined) {
      // Asked again, perhaps after it was promoted, or because an answer was lost.
      const isWished = existing.role === role || (isWitness(existing) && !learner);
      return existing.address === address && isWished
        ? { kind: "done" }
        : refused(idExists(existing, address));
    }
    const neighbour = this.#roster.servers().find((server) => server.address === address);
    if (neighbour !== undefined) {
      return refused(
        new ParleyError(
          "ADDRESS_EXISTS",
          `${address} is the address of server ${neighbour.nodeId}: give server ${id} another one.`,
        ),
      );
    }
    const invitation = this.#invite(id, address);
    if (invitation === undefined) {
      return refused(new ParleyError("OVERLOADED", "too many servers are being added at once"));
    }
    this.#look(id, invitation);
    const { problem, seen } = invitation;
    if (problem !== undefined && problem.reason !== "SERVER_UNREACHABLE") {
      this.#invitations.delete(id);
      return refused(problem);
    }
    if (seen === undefined || this.#now - invitation.lookedMs > SEEN_MS_MAX) {
      return waiting(
        `server ${id} to answer at ${address}${problem === undefined ? "" : ` (${problem.message})`}: start it with ` +
          `\`parley server --id ${id} --join ${this.#roster.self.address} --data DIR\``,
        "SERVER_UNREACHABLE",
      );
    }
    // It fitted when it was asked; the state's version may have risen since.
    const tooOld = this.#tooOld(seen);
    if (tooOld !== undefined) {
      this.#invitations.delete(id);
      return refused(tooOld);
    }
    const { serverUuid, httpAddress } = seen;
    if (seen.witness && learner) {
      return refused(
        new ParleyError(
          "INVALID_ARGUMENT",
          `The server at ${address} was started as a witness, which has no chat to be read: add it without --learner, or ` +
            "start it without --witness.",
        ),
      );
    }
    const server = {
      nodeId: id,
      serverUuid,
      address,
      httpAddress,
      role: seen.witness ? MemberRole.MEMBER_ROLE_WITNESS : role,
    };
    // What was seen counts once: by the next time it may have joined, and been removed again.
    this.#invitations.delete(id);
    this.#invite(id, address);
    return this.#carryOut(planAdd(this.#situation(), server), changeId);
  }

  // ---- Servers that ask for admission --------------------------------------------------------------

  admit(request: AdmissionRequest): AdmissionAnswer {
    const { nodeId, serverUuid, address } = request;
    const { membership } = this.#roster;
    const self = membership.servers.find((server) => server.serverUuid === serverUuid);
    if (self !== undefined) return admitted(this.#record, self);
    const old = serverOfNode(membership, nodeId);
    if (old !== undefined) return this.#readmit(old, request);
    const invitation = this.#invitations.get(nodeId);
    if (invitation !== undefined && this.#now < invitation.untilMs) {
      if (address === "") {
        return { record: undefined, address: invitation.address, refusal: undefined };
      }
      return notAdmitted(new ParleyError("NOT_READY", `server ${nodeId} is being added`));
    }
    return notAdmitted(
      new ParleyError(
        "NOT_ADMITTED",
        `cluster ${this.#record.clusterId} has no server ${nodeId} yet; add it with ` +
          `\`parley add-server ${this.#roster.self.address} ${nodeId} ${address === "" ? "<its host:port>" : address}\``,
      ),
    );
  }

  /** A server without a disk comes under an id that the cluster knows (P9). */
  #readmit(old: ServerRecord, request: AdmissionRequest) {
    const { nodeId, serverUuid, address, httpAddress } = request;
    if (isWitness(old) !== request.witness) {
      return notAdmitted(
        new ParleyError(
          "INVALID_ARGUMENT",
          isWitness(old)
            ? `Server ${nodeId} is a witness of this cluster: start it as one (\`role: witness\`, or --witness).`
            : `Server ${nodeId} of this cluster is no witness: start it without \`role: witness\` (or --witness).`,
        ),
      );
    }
    const isHere = old.raftId === this.#roster.raftId;
    if (isHere || this.#contacts.lastContactMs(old.raftId) < GONE_MS) {
      return notAdmitted(
        new ParleyError(
          "ID_IN_USE",
          `Server ${nodeId} is alive with its data (or was a moment ago), and another one with an empty disk asks for its id: ` +
            "check --id and db_path. If its disk is gone, this passes by itself.",
          { retryAfterMs: GONE_MS },
        ),
      );
    }
    const tooOld = this.#tooOld(request);
    if (tooOld !== undefined) return notAdmitted(tooOld);
    if (address === "") return { record: undefined, address: old.address, refusal: undefined };
    const underWay = this.#underWay();
    if (underWay === undefined) {
      const server = { nodeId, serverUuid, address, httpAddress, role: old.role };
      const plan = planReadmission(this.#situation(), old, server);
      const answer = this.#carryOut(plan, uuidV4(this.#ports.random));
      if (answer.kind === "refused") return notAdmitted(answer.error);
    }
    return notAdmitted(
      new ParleyError("NOT_READY", `server ${nodeId} lost its disk and is being taken back`),
    );
  }

  /** A witness applies nothing, so whatever it runs will do. */
  #tooOld(said: Pick<PeerHello, "nodeId" | "witness" | "stateVersion">): ParleyError | undefined {
    return said.witness ? undefined : this.#versions.refusal(said.nodeId, said.stateVersion);
  }

  // ---- Promotion -----------------------------------------------------------------------------------

  /** To be called now and then. */
  tick(): void {
    const now = this.#now;
    this.#leaveStuckJoint();
    for (const [id, { untilMs, isLooking }] of this.#invitations) {
      if (now > untilMs && !isLooking) this.#invitations.delete(id);
    }
    // Not beside a change: whoever is being added is asked what it knows before.
    if (this.#underWay() === undefined) this.#versions.tick();
    const { membership } = this.#roster;
    const situation = this.#situation();
    const candidates = membership.servers.filter(
      ({ raftId, role }) =>
        role !== MemberRole.MEMBER_ROLE_LEARNER && membership.learners.includes(raftId),
    );
    for (const raftId of this.#closeSinceMs.keys()) {
      if (!candidates.some((one) => one.raftId === raftId)) this.#closeSinceMs.delete(raftId);
    }
    for (const server of candidates) {
      const { raftId, nodeId } = server;
      const isClose =
        situation.isLive(raftId) &&
        situation.lag(raftId) <= CAUGHT_UP_ENTRIES &&
        !situation.lacksEntries(raftId);
      if (!isClose) {
        this.#closeSinceMs.delete(raftId);
        continue;
      }
      const since = this.#closeSinceMs.get(raftId) ?? now;
      this.#closeSinceMs.set(raftId, since);
      if (now - since < STEADY_MS || this.#underWay() !== undefined) continue;
      this.#carryOut(planPromote(situation, { id: nodeId }), uuidV4(this.#ports.random));
    }
    this.#replaceDead(situation);
  }

  #replaceDead(situation: Situation): void {
    if (this.#underWay() !== undefined) return;
    const silentMs = (raftId: number) => this.#contacts.lastContactMs(raftId);
    const plan = planOfAutopilot(situation, this.#autopilot, silentMs);
    if (plan !== undefined) this.#carryOut(plan, uuidV4(this.#ports.random));
  }

  /**
   * The core leaves a joint configuration with the next entry that is applied, unless a transfer is under way. Where
   * no entry follows, it is done here.
   */
  #leaveStuckJoint(): void {
    const { raft } = this.#driver;
    const { applied, lastIndex, leadTransferee } = raft.status();
    if (!isJoint(this.#roster.membership) || applied < lastIndex || leadTransferee !== 0) return;
    this.#driver.guard(() => {
      raft.proposeConfChange({
        version: 2,
        transition: "auto",
        changes: [],
        context: new Uint8Array(0),
      });
    });
    this.#driver.schedulePump();
  }

  // ---- Carrying out --------------------------------------------------------------------------------

  #carryOut(plan: Plan, changeId: string): LeaderAnswer {
    switch (plan.kind) {
      case "refused":
        return refused(plan.error);
      case "hand-over":
        return this.#succession.handOver(plan.why)
          ? waiting("another server to take over the leadership")
          : refused(nobodyElse());
      case "change":
        return this.#propose(plan, changeId);
      default:
        return plan satisfies never;
    }
  }

  #propose(plan: Extract<Plan, { kind: "change" }>, changeId: string): LeaderAnswer {
    const { raft } = this.#driver;
    const context = encodeContext(changeId, plan.servers);
    let answer: LeaderAnswer = waiting("a leader");
    this.#driver.guard(() => {
      this.#driver.catchUpTicks();
      if (raft.state !== "StateLeader") return;
      const result = raft.proposeConfChange({
        version: 2,
        transition: "auto",
        changes: plan.changes,
        context,
      });
      if (!result.ok) {
        answer = waiting(`the leader to be able to take it (${result.detail})`);
      } else if (result.kind === "appended") {
        this.#proposed = { changeId, term: result.term, index: result.first };
        this.#ports.logger.info({ event: "membership", index: result.first }, plan.what);
        answer = waiting("a majority to agree");
      }
    });
    this.#driver.schedulePump();
    return answer;
  }

  /** The id of the change that is not complete yet, or that one of an earlier leader may be. */
  #underWay(): string | undefined {
    const { raft } = this.#driver;
    if (this.#term !== raft.term) {
      this.#term = raft.term;
      this.#firstIndexOfTerm = raft.status().lastIndex;
    }
    if (raft.applied < this.#firstIndexOfTerm) return "earlier";
    if (isJoint(this.#roster.membership)) return this.#roster.membership.lastChangeId;
    const proposed = this.#proposed;
    const isOpen =
      proposed !== undefined && proposed.term === raft.term && raft.applied < proposed.index;
    return isOpen ? proposed.changeId : undefined;
  }

  #situation(): Situation {
    const { raft } = this.#driver;
    const { progress, commit, promotionFloor } = raft.status();
    return {
      membership: this.#roster.membership,
      leaderRaftId: raft.id,
      isLive: (raftId) => raftId === raft.id || this.#isLive(raftId),
      lacksEntries: (raftId) =>
        !this.#roster.isWitness(raftId) && (progress.get(raftId)?.match ?? 0) < promotionFloor,
      lag: (raftId) => {
        const match = progress.get(raftId)?.match ?? 0;
        return match === 0 ? Number.POSITIVE_INFINITY : Math.max(0, commit - match);
      },
    };
  }

  #isLive(raftId: number): boolean {
    return this.#contacts.isLive(raftId) && this.#isConnected(raftId);
  }

  get #now(): number {
    return this.#ports.clock.monotonicMs();
  }

  // ---- Who listens there? --------------------------------------------------------------------------

  #invite(id: number, address: string): Invitation | undefined {
    const known = this.#invitations.get(id);
    if (known?.address === address) {
      known.untilMs = this.#now + INVITATION_MS;
      return known;
    }
    if (this.#invitations.size >= INVITATIONS_MAX) return undefined;
    const invitation: Invitation = {
      address,
      untilMs: this.#now + INVITATION_MS,
      isLooking: false,
      lookedMs: Number.NEGATIVE_INFINITY,
      seen: undefined,
      problem: undefined,
    };
    this.#invitations.set(id, invitation);
    return invitation;
  }

  #look(id: number, invitation: Invitation): void {
    if (invitation.isLooking || this.#now - invitation.lookedMs < LOOK_AGAIN_MS) return;
    invitation.isLooking = true;
    const finish = (seen: PeerHello | undefined, problem: ParleyError | undefined) => {
      invitation.isLooking = false;
      invitation.lookedMs = this.#now;
      invitation.seen = seen;
      invitation.problem = problem;
    };
    whoListensAt(invitation.address, this.#hello(id), this.#ports).then(
      (hello) => {
        const problem =
          unfit(id, hello, invitation.address, this.#record.clusterId) ?? this.#tooOld(hello);
        finish(problem === undefined ? hello : undefined, problem);
      },
      (error: unknown) => finish(undefined, ParleyError.from(error)),
    );
  }

  #hello(toNodeId: number): PeerHello {
    const { nodeId, raftId, serverUuid, address, httpAddress } = this.#roster.self;
    return {
      protocolVersion: PROTOCOL_VERSION,
      clusterId: this.#record.clusterId,
      nodeId,
      raftId,
      serverUuid,
      toNodeId,
      toServerUuid: "",
      bootstrapState: BootstrapState.BOOTSTRAP_STATE_MEMBER,
      configHash: "",
      address,
      httpAddress,
      witness: this.#roster.isWitness(raftId),
      stateVersion: this.#versions.known,
    };
  }
}

/** Why the server that answered can't be added under this id; undefined = it can. */
function unfit(
  id: number,
  hello: PeerHello,
  address: string,
  clusterId: string,
): ParleyError | undefined {
  if (hello.protocolVersion !== PROTOCOL_VERSION) {
    return new ParleyError(
      "PROTOCOL_VERSION",
      `The server at ${address} speaks peer protocol ${hello.protocolVersion}, this cluster ${PROTOCOL_VERSION}: ` +
        "run the same version of Parley there.",
    );
  }
  if (hello.bootstrapState !== BootstrapState.BOOTSTRAP_STATE_FRESH) {
    const whose = hello.clusterId === clusterId ? "this cluster" : `cluster ${hello.clusterId}`;
    return new ParleyError(
      "WRONG_CLUSTER",
      `The server at ${address} is server ${hello.nodeId} of ${whose} already: start one with an empty data directory.`,
    );
  }
  if (hello.nodeId !== id) {
    return new ParleyError(
      "INVALID_ARGUMENT",
      `The server at ${address} was started with --id ${hello.nodeId}, not ${id}.`,
    );
  }
  if (hello.configHash !== "") {
    return new ParleyError(
      "WRONG_CLUSTER",
      `The server at ${address} is about to make a cluster of its own: start it with --join (or \`join:\` in its file).`,
    );
  }
  return undefined;
}

function admitted(record: BootstrapRecord, self: ServerRecord): AdmissionAnswer {
  return { record: { ...record, self }, address: "", refusal: undefined };
}

export function notAdmitted(error: ParleyError): AdmissionAnswer {
  return { record: undefined, address: "", refusal: error.toWire() };
}

function waiting(what: string, reason: Reason = "OUTCOME_UNKNOWN"): LeaderAnswer {
  return { kind: "waiting", for: what, reason };
}

function refused(error: ParleyError): LeaderAnswer {
  return { kind: "refused", error };
}

/** A server with this id is there already, at another address or in another role than was wished. */
function idExists(server: ServerRecord, wishedAddress: string) {
  const { nodeId, role, address } = server;
  const isLearner = role === MemberRole.MEMBER_ROLE_LEARNER;
  const is = isWitness(server) ? "a witness" : isLearner ? "a learner" : "a voter";
  const next =
    address === wishedAddress && !isWitness(server)
      ? `\`parley ${isLearner ? "promote" : "demote"} ${nodeId}\` changes what it is.`
      : "choose another id. (`parley remove-server` frees the id.)";
  return new ParleyError(
    "ID_EXISTS",
    `Server ${nodeId} is ${is} of the cluster already, at ${address}: ${next}`,
  );
}

function inProgress(): ParleyError {
  return new ParleyError(
    "CHANGE_IN_PROGRESS",
    "Another change of the membership is being carried out: one at a time. Try again in a moment; `parley status` shows it.",
    { retryAfterMs: 500 },
  );
}

function nobodyElse(): ParleyError {
  return new ParleyError(
    "WOULD_LOSE_QUORUM",
    "No other voter is alive to take over the leadership: bring one back first.",
  );
}
