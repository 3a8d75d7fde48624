// Machines of the test's own: network namespaces, each with an address, on one switch. Nothing outside of them is touched; their
// names carry this process' id, and what a killed test has left is swept up by the next one.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";

const NAME = /^parley-([0-9]+)-[a-z0-9]+$/;
const SUBNET = "10.77.0";

/** Why machines can't be made here; undefined = they can. */
export async function whyNoMachines(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  const probe = `parley-${process.pid}-probe`;
  try {
    await ip("netns", "add", probe);
    await ip("netns", "del", probe);
    return undefined;
  } catch (cause) {
    return `network namespaces can't be made here: ${cause instanceof Error ? cause.message.trim() : cause}`;
  }
}

function ip(...args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile("ip", args, { timeout: 20_000 }, (error, stdout) =>
      error === null ? resolve(stdout) : reject(error),
    );
  });
}

export class Machines {
  readonly #numbers = new Set<number>();
  readonly #running = new Set<ChildProcess>();

  /** One for each number, 1–250. */
  static async make(numbers: readonly number[]): Promise<Machines> {
    await sweep();
    const machines = new Machines();
    await ip("netns", "add", machines.#switch);
    await machines.#inSwitch("link", "add", "br0", "type", "bridge");
    await machines.#inSwitch("link", "set", "br0", "up");
    for (const number of numbers) await machines.#add(number);
    return machines;
  }

  get #switch(): string {
    return `parley-${process.pid}-sw`;
  }

  #name(number: number): string {
    return `parley-${process.pid}-m${number}`;
  }

  static address(number: number): string {
    return `${SUBNET}.${number}`;
  }

  async #add(number: number): Promise<void> {
    const name = this.#name(number);
    await ip("netns", "add", name);
    this.#numbers.add(number);
    const [inside, outside] = ["eth0", `port${number}`];
    await ip(
      "link",
      "add",
      inside,
      "netns",
      name,
      "type",
      "veth",
      "peer",
      "name",
      outside,
      "netns",
      this.#switch,
    );
    await this.#inSwitch("link", "set", outside, "master", "br0", "up");
    await this.#in(number, "addr", "add", `${Machines.address(number)}/24`, "dev", inside);
    await this.#in(number, "link", "set", "lo", "up");
    await this.#in(number, "link", "set", inside, "up");
  }

  #in(number: number, ...args: readonly string[]): Promise<string> {
    return ip("-n", this.#name(number), ...args);
  }

  #inSwitch(...args: readonly string[]): Promise<string> {
    return ip("-n", this.#switch, ...args);
  }

  /** Pulls the cable, or puts it back. */
  async cable(number: number, state: "up" | "down"): Promise<void> {
    await this.#inSwitch("link", "set", `port${number}`, state);
  }

  /** Nothing that `from` sends reaches `to` any more; the other way is as it was. */
  async cut(from: number, to: number): Promise<void> {
    await this.#in(from, "route", "add", "blackhole", `${Machines.address(to)}/32`);
  }

  async mend(from: number, to: number): Promise<void> {
    await this.#in(from, "route", "del", "blackhole", `${Machines.address(to)}/32`);
  }

  /** How a program is started on a machine. */
  command(number: number, args: readonly string[]): readonly [string, readonly string[]] {
    return ["ip", ["netns", "exec", this.#name(number), process.execPath, ...args]];
  }

  spawn(
    number: number,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): ChildProcess {
    const [program, rest] = this.command(number, args);
    const child = spawn(program, rest, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    this.#running.add(child);
    child.once("close", () => this.#running.delete(child));
    return child;
  }

  async destroy(): Promise<void> {
    const gone = [...this.#running].map((child) => {
      const closed = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGKILL");
      return closed;
    });
    await Promise.all(gone);
    for (const number of this.#numbers) await ip("netns", "del", this.#name(number));
    await ip("netns", "del", this.#switch);
  }
}

/** Removes the machines of tests that are not there any more. */
async function sweep(): Promise<void> {
  const names = (await ip("netns", "list")).split("\n").map((line) => line.split(" ")[0] ?? "");
  for (const name of names) {
    const pid = NAME.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await ip("netns", "del", name);
  }
}

/** A process that is asked in lines of JSON, and answers in such. */
export class Asked {
  readonly #child: ChildProcess;
  readonly #waiting: { resolve(value: unknown): void; reject(error: Error): void }[] = [];
  #errors = "";

  constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout === null || child.stderr === null) throw new Error("it has no pipes");
    createInterface({ input: child.stdout }).on("line", (line) => {
      const { result, error } = JSON.parse(line) as { result?: unknown; error?: string };
      const waiting = this.#waiting.shift();
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(error));
    });
    child.stderr.on("data", (text) => {
      this.#errors += text;
    });
    child.once("close", () => {
      for (const { reject } of this.#waiting) reject(new Error(`it has ended: ${this.#errors}`));
    });
  }

  /** It ends by itself when there is nothing more to be asked. */
  end(): void {
    this.#child.stdin?.end();
  }

  ask<T>(command: object): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve: (value) => resolve(value as T), reject });
      this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
    });
  }
}
