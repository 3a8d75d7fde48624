// Where the browser tests play: one cluster of real processes and one Chromium for all files, which `global-setup.ts` starts; or, where the
// instance must be new, a cluster of the file's own.
import type { ParleyClient } from "@parley/client";
import { RegistrationMode } from "@parley/protocol";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, beforeEach, inject } from "vitest";
import { DevCluster } from "../harness/dev-cluster.ts";
import { CHROMIUM, composer, Person, VIEWPORT } from "./chromium.ts";
import { createRooms, OWNER, sdkPerson, sdkReturns } from "./sdk-person.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The directory of the cluster that all files share. Its first account, which owns the instance, is `OWNER`. */
    readonly clusterDir: string;
    /** Where the Chromium that all files share is reached; "" = there is none here. */
    readonly chromiumAddress: string;
  }
}

const OPEN_MS_MAX = 180_000;

export interface Place {
  /** The node that serves the page; left out: 1. */
  readonly node?: number;
  /** The public room that is open in the page, see `enter`; left out: none. */
  readonly room?: string;
  /** Left out: the one that all share. */
  readonly browser?: Browser;
}

export class Stage {
  #cluster: DevCluster | undefined;
  #browser: Browser | undefined;
  readonly #rooms = new Map<string, Promise<number>>();

  get cluster(): DevCluster {
    if (this.#cluster === undefined) throw new Error("there is no cluster before the hooks ran");
    return this.#cluster;
  }

  get browser(): Browser {
    if (this.#browser === undefined) throw new Error("no Chromium here, or the hooks did not run");
    return this.#browser;
  }

  async open(cluster: DevCluster): Promise<void> {
    this.#cluster = cluster;
    if (CHROMIUM !== undefined) this.#browser = await chromium.connect(inject("chromiumAddress"));
  }

  /** Closes what the tests left open in the browser. */
  async close(): Promise<void> {
    await this.#browser?.close();
  }

  originOf(node: number): string {
    return `http://${this.cluster.node(node).http}`;
  }

  /** Somebody at a node's page, who is not signed in. */
  arrive(name: string, node = 1): Promise<Person> {
    return Person.arrive(this.browser, name, this.originOf(node));
  }

  /** Somebody who has an account, and signs in with another browser. */
  returns(name: string, node = 1, path = ""): Promise<Person> {
    return Person.returns(this.browser, name, `${this.originOf(node)}${path}`);
  }

  /** Everybody may make an account, as it is at first. For files that change it, when they are done. */
  async openToEverybody(): Promise<void> {
    const owner = await sdkReturns(this.cluster, OWNER);
    await owner.call("setRegistration", { mode: RegistrationMode.REGISTRATION_MODE_OPEN });
    await owner.close();
  }

  /** Somebody with a new account, signed in: where how one gets there is not what is tested. */
  async member(name: string, place: Place = {}): Promise<Person> {
    const client = await sdkPerson(this.cluster, name);
    try {
      return await this.browserOf(client, place);
    } finally {
      await client.close();
    }
  }

  /** A browser of somebody who is signed in with a program. */
  async browserOf(client: ParleyClient, place: Place = {}): Promise<Person> {
    const { node = 1, room = "", browser = this.browser } = place;
    const { account, token } = client;
    const { clusterId, revision } = client.state;
    if (account === undefined) throw new Error("nobody is signed in");
    const { id: accountId, username } = account;
    const signIn = { token, tokenRevision: revision, clusterId, accountId, username };
    const localStorage = [{ name: "parley:sign-in", value: JSON.stringify(signIn) }];
    const origin = this.originOf(node);
    const path = room === "" ? "" : `/r/${await this.enter(client, room)}`;
    const context = await browser.newContext({
      viewport: VIEWPORT,
      storageState: { cookies: [], origins: [{ origin, localStorage }] },
    });
    const person = await Person.in(context, username, `${origin}${path}`);
    await person.page.getByRole("navigation").waitFor();
    if (room !== "") await composer(person.page).waitFor();
    return person;
  }

  /** The id of a public room: made when the file's tests name it first, joined by all others. */
  async enter(client: ParleyClient, name: string): Promise<number> {
    const existing = this.#rooms.get(name);
    if (existing !== undefined) {
      const roomId = await existing;
      await client.call("joinRoom", { roomId });
      return roomId;
    }
    const creating = createRooms(client, [name]).then(([roomId = 0]) => roomId);
    this.#rooms.set(name, creating);
    return await creating;
  }
}

/**
 * The cluster and the Chromium that all files share, for this file's tests. They choose names of people and rooms that no other file has, and put back what
 * they change of the instance; nodes that they killed or stopped run again when the next file begins.
 */
export function sharedStage(): Stage {
  const stage = new Stage();
  beforeAll(async () => {
    const cluster = DevCluster.at(inject("clusterDir"));
    await cluster.heal();
    await stage.open(cluster);
  }, OPEN_MS_MAX);
  // Also after a test of the same file: what it started again may not listen yet.
  beforeEach(() => stage.cluster.heal(), OPEN_MS_MAX);
  afterAll(() => stage.close());
  return stage;
}

/** A new cluster of three nodes, for this file's tests alone, in the Chromium that all files share. */
export function ownStage(): Stage {
  const stage = new Stage();
  let cluster: DevCluster | undefined;
  beforeAll(async () => {
    cluster = await DevCluster.start(3);
    await stage.open(cluster);
  }, OPEN_MS_MAX);
  afterAll(async () => {
    await stage.close();
    await cluster?.destroy();
  }, OPEN_MS_MAX);
  return stage;
}
