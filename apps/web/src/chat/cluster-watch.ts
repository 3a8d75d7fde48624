// The cluster as the page knows it, and what happened to it while the page was open: for the view behind the health pill.
import { type Observable, type ParleyClient, platformClock } from "@parley/client/browser";
import { t } from "../text/t.ts";
import { troubleText } from "./trouble.ts";

/** `voter`: it leads, or may. `unknown`: a node whose program is older does not say. */
export type NodeRole = "voter" | "learner" | "witness" | "unknown";

export interface NodePicture {
  readonly id: number;
  readonly role: NodeRole;
  readonly isLeader: boolean;
  /** The node that this page is connected to hears of it. */
  readonly isHeard: boolean;
  /** It is well, but this browser could not reach it lately. */
  readonly isUnreached: boolean;
  /** The one that this page is connected to. */
  readonly isOurs: boolean;
  /** How far its disk has the log; undefined = not told. */
  readonly position: number | undefined;
  /** Revisions behind the farthest. */
  readonly lag: number;
}

export interface ClusterHappening {
  readonly key: number;
  readonly atMs: number;
  readonly text: string;
}

export interface ClusterPicture {
  readonly nodes: readonly NodePicture[];
  readonly leaderId: number;
  readonly term: number;
  readonly hasQuorum: boolean;
  /** The newest last. */
  readonly happenings: readonly ClusterHappening[];
}

/** By the number of a `MemberRole`. */
const ROLES: readonly NodeRole[] = ["unknown", "voter", "learner", "witness"];

const HAPPENINGS_MAX = 50;
const EMPTY: ClusterPicture = { nodes: [], leaderId: 0, term: 0, hasQuorum: false, happenings: [] };

export class ClusterWatch implements Observable<ClusterPicture> {
  readonly #client: ParleyClient;
  readonly #listeners = new Set<() => void>();
  readonly #stops: readonly (() => void)[];
  #picture = EMPTY;
  #ours = 0;
  #key = 0;

  constructor(client: ParleyClient) {
    this.#client = client;
    this.#stops = [client.onState(() => this.#look()), client.onPositions(() => this.#look())];
    this.#look();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  readonly getSnapshot = (): ClusterPicture => this.#picture;

  close(): void {
    for (const stop of this.#stops) stop();
    this.#listeners.clear();
  }

  #look(): void {
    const { cluster, positions, state } = this.#client;
    if (cluster === undefined) return;
    const isOnline = state.phase === "online";
    const ours = isOnline ? state.nodeId : 0;
    const at = new Map(positions.map(({ nodeId, revision }) => [nodeId, revision]));
    const farthest = Math.max(0, ...at.values());
    const members = new Map(cluster.members.map((member) => [member.nodeId, member]));
    const ids = new Set([...cluster.nodes.map(({ id }) => id), ...members.keys(), ...at.keys()]);
    const { unreached } = this.#client;
    const nodes = [...ids]
      .sort((one, other) => one - other)
      .map((id) => ({
        id,
        role: ROLES[members.get(id)?.role ?? 0] ?? "unknown",
        isLeader: id === cluster.leaderId,
        isHeard: members.get(id)?.heard !== false,
        isUnreached: unreached.includes(id),
        isOurs: id === ours,
        position: at.get(id),
        lag: farthest - (at.get(id) ?? farthest),
      }));
    const hasQuorum = isOnline && cluster.hasQuorum;
    const { leaderId, term } = cluster;
    const happenings = [
      ...this.#picture.happenings,
      ...this.#changes(leaderId, term, hasQuorum, ours),
    ];
    this.#ours = ours;
    this.#picture = {
      nodes,
      leaderId,
      term,
      hasQuorum,
      happenings: happenings.slice(-HAPPENINGS_MAX),
    };
    for (const listener of [...this.#listeners]) listener();
  }

  #lostText(): string {
    const { trouble } = this.#client.state;
    const node = `${this.#ours}`;
    return trouble === undefined
      ? t("cluster.lost", { node })
      : t("cluster.lostWhy", { node, why: troubleText(trouble) });
  }

  #changes(leaderId: number, term: number, hasQuorum: boolean, ours: number): ClusterHappening[] {
    const before = this.#picture;
    const texts: string[] = [];
    if (ours !== this.#ours) {
      texts.push(ours === 0 ? this.#lostText() : t("cluster.connected", { node: `${ours}` }));
    }
    if (before.term > 0 && term > before.term)
      texts.push(t("cluster.election", { term: `${term}` }));
    if (leaderId !== before.leaderId) {
      texts.push(
        leaderId === 0
          ? t("cluster.noLeader")
          : t("cluster.leads", { node: `${leaderId}`, term: `${term}` }),
      );
    }
    if (before.term > 0 && ours !== 0 && hasQuorum !== before.hasQuorum && this.#ours !== 0) {
      texts.push(t(hasQuorum ? "cluster.majorityBack" : "cluster.readOnly"));
    }
    const atMs = platformClock.wallMs() + this.#client.state.clockOffsetMs;
    return texts.map((text) => {
      this.#key += 1;
      return { key: this.#key, atMs, text };
    });
  }
}
