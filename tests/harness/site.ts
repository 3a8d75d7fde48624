// A cluster on machines of the test's own, and a crowd on another one: one folder with the file and the certificates that every
// machine sees, each server in its own network namespace.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Event, Message } from "@parley/protocol";
import { expect } from "vitest";
import { until } from "./dev-cluster.ts";
import { Asked, Machines } from "./machines.ts";
import { type Acknowledged, checkHistory, checkSubscription } from "./oracle.ts";
import { OLDER_PROGRAM, ServerProcess } from "./server-process.ts";

export const PORT = 7400;

const PARLEY = fileURLToPath(new URL("../../apps/parley/bin/parley.mjs", import.meta.url));
const CROWD = fileURLToPath(new URL("crowd-process.ts", import.meta.url));
const COMMAND_MS_MAX = 60_000;
/** A member further behind is not well. */
const LAG_MAX = 500;

export interface Status {
  readonly cluster_id: string;
  readonly state_version: number;
  readonly leader_id: number;
  readonly has_quorum: boolean;
  readonly members: readonly {
    readonly id: number;
    readonly raft_id: number;
    readonly role: string;
    readonly healthy: boolean;
    readonly lag: number;
  }[];
}

export interface Ran {
  readonly code: number;
  readonly output: string;
}

/** One line of `nodes:`. */
export interface SiteNode {
  readonly id: number;
  /** Where the others find it, if not on its own machine: the number of the machine that passes everything on. */
  readonly by?: number;
  readonly witness?: boolean;
}

export class Site {
  readonly dir = mkdtempSync(join(tmpdir(), "parley-machines-"));
  readonly config = join(this.dir, "cluster.yaml");
  readonly #machines: Machines;
  readonly #nodes: readonly SiteNode[];
  readonly #people: number;
  readonly #servers = new Map<number, ServerProcess>();
  #crowd: Asked | undefined;
  #roomIds: readonly number[] = [];
  #acknowledged: readonly Acknowledged[] = [];
  #token = "";
  /** What the last question for a status gave, for a failure's report. */
  #lastStatus = "";

  /** `people`: the machine of the crowd and of who gives commands. */
  constructor(machines: Machines, nodes: readonly SiteNode[], people: number) {
    this.#machines = machines;
    this.#nodes = nodes;
    this.#people = people;
  }

  addressOf(id: number): string {
    const node = this.#nodes.find((one) => one.id === id);
    return `${Machines.address(node?.by ?? id)}:${PORT}`;
  }

  /** Writes the file and the certificates, starts everybody, and lets people write. */
  async open(program: "older" | "newest" = "newest"): Promise<void> {
    this.write(this.config, "n");
    await this.done("certs", "init", "--dir", join(this.dir, "certs"));
    await this.done("certs", "node", "--config", this.config);
    const isOlder = program === "older";
    const env = isOlder ? OLDER_PROGRAM : {};
    const servers = this.#nodes.map(({ id }) => this.start(id, this.config, env));
    let setupToken = "";
    await until(
      () => {
        const printed = servers.map(({ output }) => output.join("\n")).join("\n");
        setupToken = /--setup-token (\S+)/.exec(printed)?.[1] ?? "";
        return setupToken !== "";
      },
      "the set-up token",
      120_000,
    );
    this.#crowd = new Asked(this.#machines.spawn(this.#people, [CROWD]));
    const data = this.#nodes.filter(({ witness }) => witness !== true);
    const options = {
      servers: data.map(({ id }) => this.addressOf(id)),
      writers: 4,
      subscribers: 2,
      rooms: 2,
      tls: { ca: await readFile(this.#ca, "utf8") },
      setupToken,
      isOlder,
    };
    const gathered = await this.#ask<{ token: string; roomIds: number[] }>({
      do: "gather",
      options,
    });
    this.#token = gathered.token;
    this.#roomIds = gathered.roomIds;
    await this.progress();
  }

  /** Writes a file with all the nodes; the data of node 1 is in `<folder>1`. */
  write(config: string, folder: string): void {
    const lines = this.#nodes.map(({ id, by, witness }) => {
      const host = Machines.address(by ?? id);
      const listen = by === undefined ? "" : `, listen_host: ${Machines.address(id)}`;
      const role = witness === true ? ", role: witness" : "";
      const path = `${folder}${id}/parley.db`;
      return `  - {id: ${id}, host: ${host}, port: ${PORT}, db_path: ${path}${listen}${role}}`;
    });
    writeFileSync(config, `nodes:\n${lines.join("\n")}\n`);
  }

  /** Writes a file for a machine that joins, and makes its certificate. */
  async writeJoining(id: number, seeds: readonly number[]): Promise<string> {
    const certs = join(this.dir, "certs");
    await this.done("certs", "node", String(id), "--dir", certs, "--host", Machines.address(id));
    const config = join(this.dir, `joining-${id}.yaml`);
    const addresses = seeds.map((seed) => `"${this.addressOf(seed)}"`).join(", ");
    writeFileSync(config, `join: [${addresses}]\ndata_dir: ${join(this.dir, `n${id}`)}\n`);
    return config;
  }

  start(
    id: number,
    config = this.config,
    env: Readonly<Record<string, string>> = {},
  ): ServerProcess {
    const server = this.#servers.get(id) ?? new ServerProcess();
    this.#servers.set(id, server);
    const args = ["server", "--id", String(id), "--config", config];
    server.follow(this.#machines.spawn(id, [PARLEY, ...args], env));
    return server;
  }

  async kill(id: number): Promise<void> {
    await this.#servers.get(id)?.kill();
  }

  async killAll(): Promise<void> {
    await Promise.all([...this.#servers.keys()].map((id) => this.kill(id)));
  }

  /** Ends it in good order. */
  async stop(id: number): Promise<void> {
    await this.#servers.get(id)?.stop();
  }

  /** A command of somebody on the people's machine. */
  parley(...args: readonly string[]): Promise<Ran> {
    const [program, rest] = this.#machines.command(this.#people, [PARLEY, ...args]);
    const env = { ...process.env, PARLEY_CA: this.#ca, PARLEY_OPERATOR_TOKEN: this.#token };
    return new Promise((resolve) => {
      execFile(program, rest, { timeout: COMMAND_MS_MAX, env }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ code, output: stdout + stderr });
      });
    });
  }

  /** A command that must succeed; resolves with what it says. */
  async done(...args: readonly string[]): Promise<string> {
    const ran = await this.parley(...args);
    expect(ran, `parley ${args.join(" ")}: ${ran.output}`).toMatchObject({ code: 0 });
    return ran.output;
  }

  async statusOf(id: number): Promise<Status | undefined> {
    const server = this.addressOf(id);
    const ran = await this.parley("status", "--server", server, "--json", "--timeout", "3");
    this.#lastStatus = `server ${id}: ${ran.output.slice(0, 4_000)}`;
    return ran.code === 0 ? (JSON.parse(ran.output) as Status) : undefined;
  }

  /** Resolves with the leader's id, once there is one among `ids`. */
  async leader(seenBy: number, ids?: readonly number[]): Promise<number> {
    let found = 0;
    await until(
      async () => {
        const status = await this.statusOf(seenBy);
        found = status?.has_quorum === true ? status.leader_id : 0;
        return found !== 0 && (ids?.includes(found) ?? true);
      },
      "a leader",
      60_000,
    );
    return found;
  }

  /** People write, and are told that it is stored. */
  async progress(): Promise<void> {
    await this.#ask({ do: "progress", count: 40 });
  }

  /** All members are well, and these are the voters with a chat. */
  async settled(seenBy: number, voters: readonly number[]): Promise<void> {
    const wanted = [...voters].sort().join();
    await until(
      async () => {
        const members = (await this.statusOf(seenBy))?.members ?? [];
        const data = members.filter(({ role }) => role !== "MEMBER_ROLE_WITNESS");
        const votes = data.filter(({ role }) => role === "MEMBER_ROLE_VOTER");
        const ids = votes.map(({ id }) => id).sort();
        const areWell = members.every(({ healthy }) => healthy);
        return ids.join() === wanted && areWell && data.every(({ lag }) => lag < LAG_MAX);
      },
      `voters ${voters.join(", ")} to be well`,
      120_000,
    );
  }

  /** People stop; nobody saw an error, and each of these nodes has what was acknowledged, once and in order. */
  async judge(nodes: readonly number[]): Promise<void> {
    const { acknowledged, events, errors } = await this.#ask<{
      acknowledged: Acknowledged[];
      events: Event[][];
      errors: string[];
    }>({ do: "finish" });
    this.#acknowledged = acknowledged;
    await this.judgeHistories(nodes, events);
    expect(errors).toEqual([]);
  }

  /** Each of these nodes has what was acknowledged, once and in order, and it is what the subscribers were told. */
  async judgeHistories(nodes: readonly number[], events: readonly Event[][] = []): Promise<void> {
    const histories = await this.#ask<{ address: string; roomId: number; messages: Message[] }[]>({
      do: "read",
      addresses: nodes.map((id) => this.addressOf(id)),
    });
    const breaches = histories.flatMap(({ address, roomId, messages }) => [
      ...checkHistory(
        messages,
        this.#acknowledged.filter((one) => one.roomId === roomId),
        `${address} room ${roomId}`,
      ),
      ...events.flatMap((heard, at) =>
        checkSubscription(heard, messages, roomId, `subscriber ${at}`),
      ),
    ]);
    expect(breaches).toEqual([]);
    expect(histories).toHaveLength(nodes.length * this.#roomIds.length);
  }

  /** What the servers said last, and the last status, for a failure's report. */
  tail(): string {
    const said = [...this.#servers.values()].map(({ output }) => output.slice(-15).join("\n"));
    return [...said, `the last status: ${this.#lastStatus}`].join("\n");
  }

  /** Ends everybody, and removes the folder. */
  async close(): Promise<void> {
    this.#crowd?.end();
    await this.killAll();
    rmSync(this.dir, { recursive: true, force: true });
  }

  get #ca(): string {
    return join(this.dir, "certs/ca.crt");
  }

  #ask<T>(command: object): Promise<T> {
    if (this.#crowd === undefined) throw new Error("the site is not open");
    return this.#crowd.ask<T>(command);
  }
}
