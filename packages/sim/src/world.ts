// One world: everything that a seed gives rise to, and its life from the first start to the last
// check. Read this file first; `server.ts` and `client-host.ts` run the real code, `world/` is
// what they run on, `faults.ts` and `workload/` is what happens to them, `checkers/` is what must hold.
import type { ChatMachine } from "@parley/chat";
import type { ConfiguredNode, Membership } from "@parley/node";
import { MemberRole } from "@parley/protocol";
import type { Entry } from "@parley/raft";
import { Audience } from "./audience.ts";
import { Admission } from "./checkers/admission.ts";
import { Autopilot } from "./checkers/autopilot.ts";
import { Blocking } from "./checkers/blocking.ts";
import { CommitRule } from "./checkers/commit-rule.ts";
import { DataFloor } from "./checkers/data-floor.ts";
import { DurablePromises, type DurableState } from "./checkers/durable-promises.ts";
import { ElectionSafety } from "./checkers/election-safety.ts";
import { Files } from "./checkers/files.ts";
import { LeaderCompleteness } from "./checkers/leader-completeness.ts";
import { LeadershipTransfer } from "./checkers/leadership-transfer.ts";
import { Linearizability } from "./checkers/linearizability.ts";
import { LogMatching } from "./checkers/log-matching.ts";
import { Muting } from "./checkers/muting.ts";
import { type Copies, P1Durable } from "./checkers/p1-durable.ts";
import { P2Once } from "./checkers/p2-once.ts";
import { P3Order } from "./checkers/p3-order.ts";
import { P4NoGoingBack } from "./checkers/p4-no-going-back.ts";
import { P5Subscriptions } from "./checkers/p5-subscriptions.ts";
import { P7NoErrors } from "./checkers/p7-no-errors.ts";
import { P8SafeGrowth } from "./checkers/p8-safe-growth.ts";
import { P9Wiped } from "./checkers/p9-wiped.ts";
import { P11Bounded } from "./checkers/p11-bounded.ts";
import { PasswordLinks } from "./checkers/password-links.ts";
import { ReadReceiptsChecker } from "./checkers/read-receipts.ts";
import { Search } from "./checkers/search.ts";
import { StateMachineSafety } from "./checkers/state-machine-safety.ts";
import { StateVersion } from "./checkers/state-version.ts";
import { TypingForMembers } from "./checkers/typing.ts";
import { UnreadCounts } from "./checkers/unread-counts.ts";
import { DataNodes, WitnessesAppendNothing, WitnessServesNoChat } from "./checkers/witnesses.ts";
import { ClientHost } from "./client-host.ts";
import { Coverage } from "./coverage.ts";
import { Nemesis } from "./faults/nemesis.ts";
import { canGoOnAlone } from "./faults/quorum.ts";
import { Health } from "./health.ts";
import { History } from "./history.ts";
import type { FinalNode, Violation } from "./observer.ts";
import { FAULTS_MIN, OPERATIONS_MIN, type WorldOptions } from "./options.ts";
import { DatagramMode, PeerWatch } from "./peer-watch.ts";
import { Server } from "./server.ts";
import { Intruder } from "./workload/intruder.ts";
import { Operator } from "./workload/operator.ts";
import { People } from "./workload/people.ts";
import { RollingUpgrade } from "./workload/upgrade.ts";
import { COPY_PHASES } from "./world/copy-disk.ts";
import { Network } from "./world/network.ts";
import { Prng } from "./world/prng.ts";
import { Scheduler } from "./world/scheduler.ts";
import { Trace } from "./world/trace.ts";
import { CLIENT_SERVICE } from "./world/transports.ts";

const SAMPLE_US = 50_000;
/** How long after the last fault everything must be equal everywhere again. */
const CONVERGENCE_US_MAX = 60_000_000;
/** By then every wish of an operator has been answered or given up. */
const WISHES_US_MAX = 15_000_000;
/** In quiet times leaders do by themselves what they have put off: leadership goes to whoever is preferred, logs are forgotten. */
const QUIET_US = 5_000_000;
/** How long it may take until everybody is shown to be there again: who was away is told late, and all the changes of a moment at once. */
const PRESENCE_US_MAX = 20_000_000;
/** What subscribers get to hear the last of it. */
const SETTLING_US = 3_000_000;

export interface WorldResult {
  readonly seed: number;
  readonly violation: Violation | undefined;
  readonly traceHash: string;
  readonly traceTail: readonly string[];
  readonly coverage: Record<string, number>;
  readonly virtualSeconds: number;
  readonly operations: number;
  readonly faults: number;
  readonly events: number;
}

export class World {
  readonly options: WorldOptions;
  readonly scheduler = new Scheduler();
  readonly trace: Trace;
  readonly coverage = new Coverage();
  readonly network: Network;
  readonly servers: Server[] = [];
  readonly clients: ClientHost[] = [];
  readonly history: History;
  readonly #audience = new Audience();
  readonly #nemesis: Nemesis;
  readonly #people: People;
  readonly #upgrade: RollingUpgrade;
  readonly #intruder: Intruder;
  readonly #datagrams: DatagramMode;
  readonly #health: Health;
  readonly #p2: P2Once;
  readonly #p4: P4NoGoingBack;
  readonly #p5: P5Subscriptions;
  readonly #search: Search;
  readonly #p11: P11Bounded;
  readonly #p8: P8SafeGrowth;
  readonly #linearizability: Linearizability;
  readonly #stateMachine: StateMachineSafety;
  readonly #dataFloor: DataFloor;
  readonly #operator: Operator;
  /** What was durable on the disks that were lost, by raft id. */
  readonly #lostLogs: { readonly raftId: number; readonly log: readonly Entry[] }[] = [];
  /** The term of each committed entry, as it was first applied. */
  readonly #committedTerms: number[] = [];
  #leader: { readonly nodeId: number; readonly term: number } = { nodeId: 0, term: 0 };
  violation: Violation | undefined;

  constructor(options: WorldOptions, traceSink?: (line: string) => void) {
    this.options = options;
    const { scheduler, coverage } = this;
    const random = new Prng(options.seed).branch("world");
    this.trace = new Trace(() => scheduler.nowUs, traceSink);
    this.network = new Network(scheduler, random.branch("network"), options.network);
    // What waits for a client is the node's business to bound (P11).
    this.network.leaveUnbounded(CLIENT_SERVICE);
    this.#datagrams = new DatagramMode(options.datagrams, random.branch("datagrams"));
    this.network.filter = this.#datagrams.filter;
    this.history = new History(this.#audience, this.trace, () => scheduler.nowUs);

    const nodes: ConfiguredNode[] = [];
    for (let id = 1; id <= options.nodes; id++) {
      const isWitness = id > options.nodes - options.witnesses;
      nodes.push({ id, address: `n${id}:7001`, httpAddress: "", isWitness });
    }
    for (let id = 1; id <= options.nodes + options.spares; id++) {
      this.servers.push(this.#makeServer(id, nodes, random));
    }
    const addresses = nodes.filter((node) => !node.isWitness).map((node) => node.address);
    for (let i = 1; i <= options.clients; i++) {
      this.clients.push(this.#makeClient(`c${i}`, addresses, random));
    }
    this.#p8 = new P8SafeGrowth(
      this.#report,
      coverage,
      () => scheduler.nowUs,
      (raftId) => this.#durableState(raftId)?.lastIndex,
    );
    this.#dataFloor = new DataFloor(
      this.#report,
      this.servers,
      () => this.#p8.from(Number.POSITIVE_INFINITY)[0],
    );
    this.#health = new Health(
      this.servers,
      this.clients,
      this.network,
      () => scheduler.nowUs,
      () => this.#p8.newest,
    );
    this.#operator = new Operator({
      gapUsMean: options.operatorGapUs,
      scheduler,
      random: random.branch("operator"),
      trace: this.trace,
      coverage,
      servers: this.servers,
      founders: options.nodes,
      membership: () => this.#p8.newest,
      membershipsSince: (us) => this.#p8.since(us),
      leader: () => this.#leaderServer(),
      onWipe: (server) => this.#wiped(server),
    });
    for (const server of this.servers) {
      if (server.id > options.nodes) this.#operator.joinAll(server);
    }
    this.#upgrade = new RollingUpgrade(
      this.servers,
      scheduler,
      random.branch("upgrade"),
      this.trace,
      coverage,
    );
    this.#people = new People(this.clients, random.branch("people"), scheduler, options);
    this.#intruder = new Intruder(
      this.clients,
      this.servers.map((server) => server.name),
      random.branch("intruder"),
      {
        gapUsMean: options.intruderGapUs,
        scheduler,
        network: this.network,
        coverage,
        report: this.#report,
        someSecret: (prng) => this.#people.someSecret(prng),
        someLink: (prng) => this.#people.someLink(prng),
      },
    );
    this.#nemesis = new Nemesis({
      scheduler,
      network: this.network,
      trace: this.trace,
      coverage,
      random: random.branch("nemesis"),
      options,
      servers: this.servers,
      clients: this.clients,
      leader: () => this.#leaderServer(),
      garbleNextFrame: (from, to) => this.#datagrams.garbleNext(from, to),
      mayLoseDisk: (server) => this.#operator.mayLoseDisk(server),
      canGoOnAlone: (servers) =>
        canGoOnAlone(servers, {
          founders: options.nodes,
          from: (index) => this.#p8.from(index),
        }),
    });

    this.#p2 = new P2Once(this.#report);
    this.#p4 = new P4NoGoingBack(this.#report);
    this.#p5 = new P5Subscriptions(this.#report);
    this.#search = new Search(this.#report);
    this.#linearizability = new Linearizability(this.#report);
    this.#p11 = new P11Bounded(this.#report);
    this.#stateMachine = new StateMachineSafety(this.#report);
    const isSdk = (client: string) => this.clients.some((one) => one.name === client);
    this.#audience.add(
      new ElectionSafety(this.#report, (nodeId, term) => this.#elected(nodeId, term)),
      new LogMatching(this.#report),
      new LeaderCompleteness(this.#report),
      this.#stateMachine,
      new DurablePromises(this.#report, (nodeId) => this.#durableState(nodeId)),
      new CommitRule(this.#report),
      new P1Durable(
        this.#report,
        (index) => this.#copiesOf(index),
        (index) => this.#holdersOf(index).size,
      ),
      this.#p2,
      new P3Order(this.#report),
      this.#p4,
      this.#p5,
      this.#search,
      this.#linearizability,
      new P7NoErrors(
        this.#report,
        isSdk,
        (client) => this.#health.servedSinceUs(client),
        () => scheduler.nowUs,
      ),
      this.#p8,
      new Autopilot(
        this.#report,
        {
          deadMs: options.tuning.autopilotDeadMs,
          votersMin: options.tuning.autopilotVotersMin,
        },
        () => scheduler.nowUs,
        () => this.#p8.newest,
        (raftId) => this.#durableState(raftId)?.lastIndex,
      ),
      new LeadershipTransfer(this.#report),
      new P9Wiped(this.#report),
      new StateVersion(this.#report, coverage),
      new UnreadCounts(this.#report, coverage),
      new Admission(this.#report, coverage),
      this.#p11,
      new TypingForMembers(this.#report, coverage),
      new ReadReceiptsChecker(this.#report, coverage),
      new Muting(this.#report, coverage),
      new PasswordLinks(this.#report, coverage),
      new Blocking(this.#report, coverage),
      new Files(this.#report, coverage, isSdk),
      new DataNodes(this.servers, coverage),
      this.#dataFloor,
      new WitnessesAppendNothing(this.#report, (raftId) => this.#isWitness(raftId)),
      this.#intruder,
    );
    const witnesses = new WitnessServesNoChat(this.servers, this.#report);
    const watch = new PeerWatch(this.#audience, this.trace, coverage);
    this.network.onDelivered = (from, to, service, bytes) => {
      watch.onDelivered(from, to, service, bytes);
      if (service === CLIENT_SERVICE) witnesses.onDelivered(from, bytes);
    };
    this.network.onSent = (from, _to, service, bytes) => watch.onSent(from, service, bytes);
  }

  /** Lives the whole seed. Resolves with what came of it; never rejects for a violation. */
  async run(): Promise<WorldResult> {
    const { scheduler, options } = this;
    try {
      const founders = this.servers.slice(0, options.nodes);
      for (const server of founders) server.start();
      for (const client of this.clients) client.start();
      this.#sample();
      this.#people.start();
      this.#intruder.start(this.history);
      // Faults come as soon as the cluster has come into being, which needs all nodes at once.
      await this.#runUntil(10_000_000, () => founders.every((server) => server.state === "up"));
      if (!founders.every((server) => server.state === "up")) {
        this.#report({ property: "liveness", detail: "the cluster did not come into being" });
      }
      this.#nemesis.start();
      if (options.spares > 0) this.#operator.start();
      if (options.upgradeAfterUs !== undefined) this.#upgrade.start(options.upgradeAfterUs);
      await this.#runUntil(scheduler.nowUs + options.activeUs);
      this.#people.stop();
      this.#intruder.stop();
      this.#operator.stop();
      this.#datagrams.stop();
      if (this.#mayHealQuorumFirst()) await this.#convergeWithQuorum();
      this.#nemesis.healAll();
      await this.#settle();
      await this.#seeEachOther();
      if (this.violation === undefined) this.#checkEnd();
    } catch (error) {
      const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#report({ property: "no exception", detail });
    }
    this.#count();
    for (const server of this.servers) {
      server.process?.kill();
      server.chatDisk.close();
    }
    return {
      seed: options.seed,
      violation: this.violation,
      traceHash: this.trace.digest(),
      traceTail: this.trace.tail(60),
      coverage: this.coverage.toJSON(),
      virtualSeconds: scheduler.nowUs / 1e6,
      operations: this.history.operations,
      faults: this.#nemesis.faults,
      events: scheduler.executed,
    };
  }

  /** Something that the world itself noticed, such as a rejection that nobody handled. */
  report(violation: Violation): void {
    this.#report(violation);
  }

  readonly #report = (violation: Violation): void => {
    if (this.violation !== undefined) return;
    this.violation = violation;
    this.trace.add("checker", `VIOLATION of ${violation.property}: ${violation.detail}`);
  };

  #runUntil(untilUs: number, stop: () => boolean = () => false): Promise<void> {
    if (this.violation !== undefined) return Promise.resolve();
    return this.scheduler.run(untilUs, () => this.violation !== undefined || stop());
  }

  /** Not after a chat file was lost: that is a fault beside those that the others are left in. */
  #mayHealQuorumFirst(): boolean {
    return this.options.healsQuorumFirst && !this.servers.some((one) => one.chatFileLost);
  }

  /** P6: a majority that is well serves everybody, and finishes what was begun with the membership, whatever the others are in. */
  async #convergeWithQuorum(): Promise<void> {
    // What an operator still waits for may be to take a vote away from a majority of the newest membership.
    if (!this.#operator.isDone) {
      await this.#runUntil(this.scheduler.nowUs + WISHES_US_MAX, () => this.#operator.isDone);
    }
    const healed = this.#nemesis.healQuorum();
    if (healed === undefined) return;
    const { frozen } = healed;
    const quorum = () => this.#runnable().filter((server) => healed.quorum.includes(server));
    this.#people.everybodySpeaks();
    this.coverage.add("quorums-healed");
    if (this.#isChanging()) this.coverage.add("quorums-healed-while-changing");
    await this.#converge(quorum, `a majority was healed (${frozen})`);
    await this.#runUntil(this.scheduler.nowUs + QUIET_US);
    this.#people.everybodySpeaks();
    await this.#converge(quorum, `a majority had gone on for a while (${frozen})`);
  }

  /** Somebody is to be promoted or taken back, or the configuration is joint. */
  #isChanging(): boolean {
    const membership = this.#p8.newest;
    if (membership === undefined) return false;
    const { servers, learners, votersOutgoing } = membership;
    const isWaiting = servers.some(
      ({ raftId, nodeId, role }) =>
        (role !== MemberRole.MEMBER_ROLE_LEARNER && learners.includes(raftId)) ||
        this.#server(nodeId).raftId !== raftId,
    );
    return isWaiting || votersOutgoing.length > 0;
  }

  /** Everything is equal everywhere and told to everybody; again, where a change of the membership was still on its way. */
  async #settle(): Promise<void> {
    let membership: Membership | undefined;
    do {
      await this.#converge(() => this.#runnable(), "the last fault");
      membership = this.#p8.newest;
      await this.#runUntil(this.scheduler.nowUs + SETTLING_US);
    } while (this.#p8.newest !== membership && this.violation === undefined);
  }

  /** In the end all are online, wherever they are, and whoever watches them is told so. */
  async #seeEachOther(): Promise<void> {
    const blind = () => this.clients.find(({ missed }) => missed.length > 0);
    await this.#runUntil(this.scheduler.nowUs + PRESENCE_US_MAX, () => blind() === undefined);
    const client = blind();
    if (client === undefined) return;
    const detail = `${client.name} is not told that account ${client.missed.join(", ")} is online`;
    this.#report({ property: "presence", detail });
  }

  /** `servers`: who must be up and equal, as of now: a change of the membership may still be under way. */
  async #converge(servers: () => readonly Server[], since: string): Promise<void> {
    const deadlineUs = this.scheduler.nowUs + CONVERGENCE_US_MAX;
    while (this.violation === undefined) {
      await this.#runUntil(this.scheduler.nowUs + SAMPLE_US);
      const missing = this.#unconverged(servers());
      if (missing === undefined) return;
      if (this.scheduler.nowUs >= deadlineUs) {
        const detail = `${CONVERGENCE_US_MAX / 1e6} s after ${since} ${missing}`;
        this.#report({ property: "liveness", detail });
      }
    }
  }

  /** What is not as it must become in quiet times; undefined = all is well. */
  #unconverged(servers: readonly Server[]): string | undefined {
    const applied = new Set<number>();
    for (const server of servers) {
      if (server.state !== "up") return `${server.name} is ${server.state}`;
      applied.add(server.node?.replica?.appliedRevision ?? 0);
    }
    const membership = this.#p8.newest;
    if (membership !== undefined && membership.votersOutgoing.length > 0) {
      return "the configuration is still joint";
    }
    const waiting = membership?.servers.find(
      ({ raftId, nodeId, role }) =>
        membership.learners.includes(raftId) &&
        role !== MemberRole.MEMBER_ROLE_LEARNER &&
        servers.some(({ id }) => id === nodeId),
    );
    if (waiting !== undefined) return `server ${waiting.nodeId} has not been promoted`;
    if (applied.size !== 1) return `the nodes have applied ${[...applied].join(", ")}`;
    for (const client of this.clients) {
      if (!client.isSignedIn) return `${client.name} is not signed in`;
      if (client.pendingSends.size > 0) {
        return `${client.name} has ${client.pendingSends.size} sends without an answer`;
      }
    }
    if (this.history.open.size > 0) {
      const [first] = this.history.open;
      return `${this.history.open.size} operations are open, the first is #${first?.id} of ${first?.client}`;
    }
    return undefined;
  }

  #checkEnd(): void {
    const nodes: FinalNode[] = [];
    for (const server of this.#runnable()) {
      if (server.isWitness) continue;
      const machine = server.chatDisk.machine;
      const state = machine?.stateHash(0);
      if (machine === undefined || state === undefined) {
        this.#report({ property: "liveness", detail: `${server.name} has no state at the end` });
        return;
      }
      const recomputed = recomputedHash(machine);
      if (recomputed !== state.hash) {
        this.#report({
          property: "State Machine Safety",
          detail: `${server.name}: the tables give hash ${recomputed}, the running one is ${state.hash}`,
        });
      }
      const rooms = server.chatDisk.messages();
      nodes.push({
        nodeId: server.raftId,
        appliedIndex: state.appliedIndex,
        hash: state.hash,
        rooms,
        files: server.chatDisk.files(),
        memberships: server.chatDisk.memberships(),
        unread: server.chatDisk.unread(rooms),
      });
    }
    for (const tell of this.#audience.of.atEnd) tell({ nodes });
    if (this.history.operations < OPERATIONS_MIN || this.#nemesis.faults < FAULTS_MIN) {
      this.#report({
        property: "a seed is rich",
        detail: `${this.history.operations} operations and ${this.#nemesis.faults} faults`,
      });
    }
  }

  /** Who must be up and equal in the end: the members, and who is about to be one again. */
  #runnable(): Server[] {
    const servers = this.#p8.newest?.servers ?? [];
    return this.servers.filter(
      (server) => server.state !== "lost" && servers.some(({ nodeId }) => nodeId === server.id),
    );
  }

  #leaderServer(): Server | undefined {
    return this.servers.find((one) => one.raftId === this.#leader.nodeId && one.isUp);
  }

  #wiped(server: Server): void {
    const { raftId, logDisk } = server;
    if (raftId === 0) return;
    this.#lostLogs.push({ raftId, log: logDisk.wholeLog() });
    for (const tell of this.#audience.of.onRestart) tell(raftId, []);
    for (const tell of this.#audience.of.onWiped) tell(raftId);
  }

  /** Looks at queues and at who is served, now and then. */
  #sample(): void {
    this.#p11.sample(this.network.longestBacklogBytes(CLIENT_SERVICE));
    this.#health.sample();
    this.#dataFloor.sample();
    this.scheduler.after(SAMPLE_US, () => this.#sample());
  }

  #elected(nodeId: number, term: number): void {
    this.coverage.add("elections");
    if (term <= this.#leader.term) return;
    if (this.#leader.nodeId !== 0 && this.#leader.nodeId !== nodeId) {
      this.coverage.add("leader-changes");
    }
    if (this.#isWitness(nodeId)) this.coverage.add("witnesses-elected");
    else if (this.#isWitness(this.#leader.nodeId))
      this.coverage.add("witnesses-followed-by-data-nodes");
    this.#leader = { nodeId, term };
    this.trace.add(`n${nodeId}`, `leads term ${term}`);
  }

  #isWitness(raftId: number): boolean {
    return this.servers.some((server) => server.raftId === raftId && server.isWitness);
  }

  /** Of a committed entry, under the configuration that it may have been committed in. */
  #copiesOf(index: number): Copies {
    const holders = this.#holdersOf(index);
    let best: Copies | undefined;
    for (const membership of this.#p8.candidates(index)) {
      const copies = copiesUnder(membership, holders);
      if (best === undefined || copies.copies - copies.needed > best.copies - best.needed) {
        best = copies;
      }
    }
    return best ?? { copies: 0, needed: 1 };
  }

  /** Whose disks have the committed entry at an index synced, or had it when they were lost. */
  #holdersOf(index: number): ReadonlySet<number> {
    const term = this.#committedTerms[index - 1];
    const holders = new Set<number>();
    for (const server of this.servers) {
      if (server.logDisk.durableEntry(index)?.term === term) holders.add(server.raftId);
    }
    for (const { raftId, log } of this.#lostLogs) {
      if (log[index - 1]?.term === term) holders.add(raftId);
    }
    return holders;
  }

  #durableState(raftId: number): DurableState | undefined {
    const disk = this.servers.find((one) => one.raftId === raftId)?.logDisk;
    if (disk === undefined) return undefined;
    return { hardState: disk.durableHardState, lastIndex: disk.durableLastIndex };
  }

  #makeServer(id: number, nodes: readonly ConfiguredNode[], random: Prng): Server {
    const { scheduler, network, trace, coverage, options } = this;
    const isWitness =
      nodes.find((node) => node.id === id)?.isWitness ??
      (options.isSpareWitness && id === options.nodes + options.spares);
    return new Server(id, nodes, isWitness, {
      scheduler,
      network,
      trace,
      coverage,
      options,
      random: random.branch(`server ${id}`),
      events: {
        onLogWrite: (nodeId, write) => {
          for (const tell of this.#audience.of.onLogWrite) tell(nodeId, write);
        },
        onLogDurable: (nodeId, write) => {
          for (const tell of this.#audience.of.onLogDurable) tell(nodeId, write);
        },
        onApplied: (nodeId, batch, entries, hash) => {
          this.trace.mix(batch.appliedIndex * 16 + nodeId);
          for (const entry of entries) this.#committedTerms[entry.index - 1] ??= entry.term;
          for (const tell of this.#audience.of.onApplied) tell(nodeId, batch, entries, hash);
        },
        onMembership: (nodeId, index, membership) => {
          for (const tell of this.#audience.of.onMembership) tell(nodeId, index, membership);
        },
        onAdopted: (nodeId, serverUuid) => {
          for (const tell of this.#audience.of.onAdopted) tell(nodeId, serverUuid);
        },
        onReopened: (nodeId, applied, before) => {
          if (applied < before) this.coverage.add("chat-files-rolled-back");
          this.trace.add(`n${nodeId}`, `chat file is as of ${applied}, was at ${before}`);
          this.#stateMachine.reopened(nodeId, applied);
          this.#checkTruncation(id, applied);
        },
        onInstalled: (nodeId, applied, hash) => {
          this.trace.add(`n${nodeId}`, `chat file is a copy as of ${applied}`);
          this.coverage.add("copies-installed");
          this.#stateMachine.installed(nodeId, applied, hash);
        },
        onLogInstalled: (nodeId) => {
          const log = this.#server(id).logDisk.durableLog();
          for (const tell of this.#audience.of.onInstalled) tell(nodeId, log);
        },
        committedTerm: (index) => this.#committedTerms[index - 1] ?? 0,
        onDied: (nodeId) => this.#died(nodeId),
        onFailed: (nodeId, error) => this.#failed(nodeId, error),
      },
    });
  }

  /** A node may forget only what its chat file has for good. */
  #checkTruncation(nodeId: number, applied: number): void {
    const server = this.#server(nodeId);
    const { compactedIndex } = server.logDisk;
    if (applied >= compactedIndex) {
      server.chatFileLost = false;
      return;
    }
    if (server.chatFileLost) {
      this.coverage.add("chat-files-lost");
      return;
    }
    this.#report({
      property: "P1 durable",
      detail: `${server.name} has forgotten its log up to ${compactedIndex}, but its chat file is as of ${applied}`,
    });
  }

  #died(nodeId: number): void {
    const { logDisk, raftId } = this.#server(nodeId);
    if (raftId === 0) return;
    const log: Entry[] = logDisk.durableLog();
    if (raftId === this.#leader.nodeId) this.#countLost(log);
    for (const tell of this.#audience.of.onRestart) tell(raftId, log);
  }

  /** A leader is gone, whose disk has this log. */
  #countLost(log: readonly Entry[]): void {
    const newest = this.#p8.from(Number.POSITIVE_INFINITY)[0];
    if (newest === undefined) return;
    const { index, membership } = newest;
    if (membership.votersOutgoing.length > 0) this.coverage.add("leaders-lost-while-joint");
    const isProposed = log.slice(index).some(({ type }) => type !== "EntryNormal");
    if (isProposed) this.coverage.add("leaders-lost-with-a-change-proposed");
  }

  #failed(nodeId: number, error: unknown): void {
    const server = this.#server(nodeId);
    const kind = storageErrorKind(error);
    if (server.damaged && kind === "wiped") {
      server.state = "lost";
      this.trace.add(server.name, "is lost for good");
      if (this.options.spares > 0) this.#replaceDisk(server);
      return;
    }
    // It was taken out, and has learnt of it.
    if (error instanceof Error && error.name === "StartupError" && !this.#isMember(server)) return;
    if (kind !== "io" && kind !== "disk-full") {
      const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#report({ property: "no node fails by itself", detail: `${server.name}: ${detail}` });
      return;
    }
    this.coverage.add("storage-failures");
    this.#nemesis.supervise(server);
  }

  /** As the message says: the files are moved away, and the server is started with an empty disk. */
  #replaceDisk(server: Server): void {
    this.scheduler.after(2_000_000, () => {
      // An operator may have emptied it before.
      if (server.state !== "lost") return;
      this.#wiped(server);
      server.wipe();
      server.start();
    });
  }

  #isMember(server: Server): boolean {
    const servers = this.#p8.newest?.servers ?? [];
    return servers.some(({ raftId }) => raftId === server.raftId);
  }

  #server(nodeId: number): Server {
    const server = this.servers.find((one) => one.id === nodeId);
    if (server === undefined) throw new Error(`there is no node ${nodeId}`);
    return server;
  }

  #makeClient(name: string, servers: readonly string[], random: Prng): ClientHost {
    const { scheduler, network, trace, coverage, history, options } = this;
    return new ClientHost(name, random.branch(`client ${name}`), {
      scheduler,
      network,
      trace,
      coverage,
      history,
      servers,
      clock: options.clock,
    });
  }

  #count(): void {
    const { coverage, network } = this;
    const { outcomes } = this.history;
    coverage.add("operations", this.history.operations);
    coverage.add("acknowledged-sends", outcomes.sent);
    coverage.add("unknown-outcomes", outcomes.unknown);
    coverage.add("retries-answered-once", this.#p2.repeated);
    coverage.add("linearizable-operations", this.#linearizability.operations);
    coverage.add("linearizable-reads", this.#p4.linearizableReads);
    coverage.add("stale-reads", this.#p4.staleReads);
    coverage.add("events-delivered", this.#p5.delivered);
    coverage.add("resyncs", this.#p5.resyncs);
    coverage.add("searches-with-hits", this.#search.withHits);
    coverage.add("searches-with-hidden-messages", this.#search.withHidden);
    coverage.add("state-hashes-compared", this.#stateMachine.compared);
    coverage.add("links-broken", network.counts.linksBroken);
    coverage.add("keepalive-timeouts", network.counts.keepaliveTimeouts);
    coverage.add("dial-timeouts", network.counts.dialTimeouts);
    coverage.add("refused-dials", network.counts.refused);
    coverage.add("frames-mangled", network.counts.framesMangled);
    for (const { logDisk, chatDisk } of this.servers) {
      coverage.add("unsynced-writes-lost", logDisk.counts.unsyncedWritesLost);
      coverage.add("unsynced-writes-kept", logDisk.counts.unsyncedWritesKept);
      coverage.add("torn-groups", logDisk.counts.tornGroups);
      coverage.add("entries-replaced", logDisk.counts.entriesReplaced);
      coverage.add("syncs-shared", logDisk.counts.syncsShared);
      coverage.add("truncations", logDisk.counts.truncations);
      coverage.add("copies-corrupt", chatDisk.copyDisk.counts.corrupt);
      coverage.add("copies-found-at-start", chatDisk.copyDisk.counts.foundAtStart);
      for (const phase of COPY_PHASES) {
        coverage.add(`crashes-in-copy-${phase}`, chatDisk.copyDisk.counts.crashes[phase]);
      }
    }
  }
}

/** Or why there is none: a file that came damaged with a copy may be one that nobody can read. */
function recomputedHash(machine: ChatMachine): string {
  try {
    return machine.recomputeHash();
  } catch (error) {
    return String(error);
  }
}

/** Of the half that is worse off: both majorities are needed. */
function copiesUnder({ voters, votersOutgoing }: Membership, holders: ReadonlySet<number>): Copies {
  const of = (half: readonly number[]): Copies => ({
    copies: half.filter((raftId) => holders.has(raftId)).length,
    needed: half.length === 0 ? 0 : Math.floor(half.length / 2) + 1,
  });
  const [incoming, outgoing] = [of(voters), of(votersOutgoing)];
  return outgoing.copies - outgoing.needed < incoming.copies - incoming.needed
    ? outgoing
    : incoming;
}

function storageErrorKind(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== "StorageError") return undefined;
  return "kind" in error ? String(error.kind) : undefined;
}
