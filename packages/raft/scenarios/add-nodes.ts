/** `add-nodes`: members of a given configuration and membership. */
import type { ConfState, NodeId, RaftConfig } from "../src/index.ts";
import { bool, firstInteger, integer } from "./arguments.ts";
import type { Directive } from "./datadriven.ts";
import type { Environment } from "./environment.ts";
import { ScenarioError } from "./environment.ts";

const ELECTION_TICK = 3;
const HEARTBEAT_TICK = 1;
const utf8 = new TextEncoder();

type Options = { -readonly [K in keyof RaftConfig]?: RaftConfig[K] };

/** What `add-nodes` can say of a configuration, besides the membership it starts with. */
const NODE_OPTIONS: Readonly<Record<string, (options: Options, value: string) => void>> = {
  inflight: (o, v) => {
    o.maxInflightMsgs = integer(v, v);
  },
  "max-inflight-msgs": (o, v) => {
    o.maxInflightMsgs = integer(v, v);
  },
  "max-inflight-bytes": (o, v) => {
    o.maxInflightBytes = integer(v, v);
  },
  "max-size-per-msg": (o, v) => {
    o.maxSizePerMsg = integer(v, v);
  },
  "max-committed-size-per-ready": (o, v) => {
    o.maxCommittedSizePerReady = integer(v, v);
  },
  "max-uncommitted-size": (o, v) => {
    o.maxUncommittedEntriesSize = integer(v, v);
  },
  "async-storage-writes": (o, v) => {
    o.asyncStorageWrites = bool(v, v);
  },
  prevote: (o, v) => {
    o.preVote = bool(v, v);
  },
  checkquorum: (o, v) => {
    o.checkQuorum = bool(v, v);
  },
  "disable-proposal-forwarding": (o, v) => {
    o.disableProposalForwarding = bool(v, v);
  },
  "disable-conf-change-validation": (o, v) => {
    o.disableConfChangeValidation = bool(v, v);
  },
  "step-down-on-removal": (o, v) => {
    o.stepDownOnRemoval = bool(v, v);
  },
  "read-only": (o, v) => {
    if (v !== "safe" && v !== "lease-based") {
      throw new ScenarioError(`invalid read-only option "${v}"`);
    }
    o.readOnly = v;
  },
};

/** Adds members with the next ids, which start from a snapshot of the membership, or empty. */
export function addNodes(env: Environment, directive: Directive): void {
  const options: Options = {};
  const voters: NodeId[] = [];
  const learners: NodeId[] = [];
  const witnesses: NodeId[] = [];
  let index = 0;
  let content = "";
  for (const { key, values } of directive.args.slice(1)) {
    for (const value of values) {
      if (key === "voters") voters.push(integer(value, value));
      else if (key === "learners") learners.push(integer(value, value));
      else if (key === "witnesses") witnesses.push(integer(value, value));
      else if (key === "index") index = integer(value, value);
      else if (key === "content") content = value;
      else if (NODE_OPTIONS[key] === undefined) throw new ScenarioError(`unknown option ${key}`);
      else NODE_OPTIONS[key](options, value);
    }
  }
  const confState: ConfState = {
    voters: voters.sort((a, b) => a - b),
    votersOutgoing: [],
    learners: learners.sort((a, b) => a - b),
    learnersNext: [],
    autoLeave: false,
  };
  const config = {
    electionTick: ELECTION_TICK,
    heartbeatTick: HEARTBEAT_TICK,
    random: () => 0,
    maxInflightMsgs: 2 ** 31 - 1,
    ...options,
    applied: index,
    ...(witnesses.length > 0 && { isWitness: (id: NodeId) => witnesses.includes(id) }),
  };
  const data = utf8.encode(content);
  env.addMembers(firstInteger(directive), config, { index, term: 0, confState, data });
}
