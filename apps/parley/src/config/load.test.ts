import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { DEFAULT_TUNING } from "@parley/node";
import { describe, expect, it } from "vitest";
import { ConfigError } from "./config-error.ts";
import { loadConfig, parseConfig } from "./load.ts";

const FILE = "/etc/parley/config.yaml";

/** The message of the ConfigError that `text` gives. */
function mistake(text: string, options = {}): string {
  try {
    parseConfig(FILE, text, options);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error("it was taken");
}

const THREE = `nodes:
  - {id: 1, host: 127.0.0.1, port: 7401, db_path: n1/parley.db}
  - {id: 2, host: 127.0.0.1, port: 7402, db_path: /var/lib/n2.db}
  - {id: 3, host: localhost, port: 7403, db_path: n3.db, http_port: 0}
`;

describe("a configuration", () => {
  it("of nothing but id, host, port and db_path is enough", () => {
    const config = parseConfig(FILE, THREE);
    expect(config.nodes.map((node) => [node.id, node.address, node.httpAddress])).toEqual([
      [1, "127.0.0.1:7401", "127.0.0.1:8401"],
      [2, "127.0.0.1:7402", "127.0.0.1:8402"],
      [3, "localhost:7403", ""],
    ]);
    expect(config.tuning).toEqual(DEFAULT_TUNING);
    expect(config.insecure).toBe(false);
  });

  it("resolves db_path from the file's folder, or from data_dir", () => {
    expect(parseConfig(FILE, THREE).nodes.map((node) => node.dbPath)).toEqual([
      "/etc/parley/n1/parley.db",
      "/var/lib/n2.db",
      "/etc/parley/n3.db",
    ]);
    const moved = parseConfig(FILE, `data_dir: ../data\n${THREE}`);
    expect(moved.nodes[0]?.dbPath).toBe("/etc/data/n1/parley.db");
  });

  it("writes IPv6 hosts in brackets", () => {
    const text = 'nodes: [{id: 1, host: "::1", port: 7401, db_path: a}]';
    expect(parseConfig(FILE, text).nodes[0]?.address).toBe("[::1]:7401");
  });

  it("takes limits and timing in the units that they name", () => {
    const text = `${THREE}timing: {tick_ms: 20, election_ms: 400, heartbeat_ms: 60}\nlimits: {sends_per_second: 7, connections_max: 99}\nlog: {level: debug}`;
    const config = parseConfig(FILE, text);
    expect(config.tuning).toMatchObject({
      tickMs: 20,
      electionTicks: 20,
      heartbeatTicks: 3,
      sendsPerSecond: 7,
    });
    expect(config.connectionsMax).toBe(99);
    expect(config.logLevel).toBe("debug");
  });

  it("takes a public URL as where browsers reach the node", () => {
    const node = (id: number, more: string) =>
      `  - {id: ${id}, host: 127.0.0.1, port: ${id}, db_path: n${id}, ${more}}\n`;
    const two = "public_url: 'https://Two.example.org:443/'";
    const text = `nodes:\n${node(1, "public_url: 'https://one.example.org'")}${node(2, two)}${node(3, "http_port: 0")}`;
    expect(parseConfig(FILE, text).nodes.map(({ httpAddress }) => httpAddress)).toEqual([
      "https://one.example.org",
      "https://two.example.org",
      "",
    ]);
  });

  it("puts HTTP below gRPC where 1000 above is no port", () => {
    const text = "nodes: [{id: 1, host: 127.0.0.1, port: 65000, db_path: a}]";
    expect(parseConfig(FILE, text).nodes[0]?.httpAddress).toBe("127.0.0.1:64000");
  });
});

describe("a mistake in a configuration is told with its line and what to do", () => {
  const cases: readonly (readonly [name: string, text: string, expected: RegExp])[] = [
    ["a missing setting", "nodes:\n  - {id: 1, host: a}", /:2:5: nodes\[0\] has no "port"; add it/],
    [
      "a public URL with a path",
      "nodes: [{id: 1, host: 127.0.0.1, port: 1, db_path: a, public_url: 'https://a/b'}]",
      /:1:67: nodes\[0\]\.public_url: public_url is an origin such as/,
    ],
    [
      "a public URL that is no web address",
      "nodes: [{id: 1, host: 127.0.0.1, port: 1, db_path: a, public_url: 'ftp://a'}]",
      /public_url is an origin such as/,
    ],
    [
      "a public URL for some",
      "nodes:\n  - {id: 1, host: 127.0.0.1, port: 1, db_path: a, public_url: 'https://a'}\n  - {id: 2, host: 127.0.0.1, port: 2, db_path: b}",
      /:3:5: node 2 has no public_url, and node 1 has one; give one to all nodes, or to none/,
    ],
    [
      "public URLs of two schemes",
      "nodes:\n  - {id: 1, host: 127.0.0.1, port: 1, db_path: a, public_url: 'https://a'}\n  - {id: 2, host: 127.0.0.1, port: 2, db_path: b, public_url: 'http://b'}",
      /:3:63: http:\/\/b and https:\/\/a differ in https/,
    ],
    ["no nodes", "nodes: []", /:1:8: nodes: nodes is empty; list at least one/],
    ["nothing", "", /the file has no "nodes"; add it/],
    [
      "an unknown setting",
      `${THREE}colour: red`,
      /:5:1: "colour" is not a setting of the file; remove it or correct its name/,
    ],
    [
      "an unknown setting of a node",
      "nodes:\n  - id: 1\n    host: 127.0.0.1\n    prot: 7401\n    db_path: a\n    port: 1",
      /:4:5: "prot" is not a setting of nodes\[0\]/,
    ],
    [
      "a port out of range",
      "nodes:\n  - id: 1\n    host: 127.0.0.1\n    port: 70000\n    db_path: a",
      /:4:11: nodes\[0\]\.port: a port is a whole number of 1–65535/,
    ],
    [
      "a port as text",
      'nodes:\n  - {id: 1, host: 127.0.0.1, port: "x", db_path: a}',
      /:2:36: nodes\[0\]\.port: a port is a whole number/,
    ],
    [
      "an id below 1",
      "nodes: [{id: 0, host: h, port: 1, db_path: a}]",
      /:1:14: .*id is a whole number/,
    ],
    [
      "a repeated id",
      "nodes:\n  - {id: 1, host: 127.0.0.1, port: 1, db_path: a}\n  - {id: 1, host: 127.0.0.1, port: 2, db_path: b}",
      /:3:10: id 1 is used twice/,
    ],
    [
      "a repeated address",
      "nodes:\n  - {id: 1, host: 127.0.0.1, port: 5, db_path: a}\n  - {id: 2, host: 127.0.0.1, port: 5, db_path: b}",
      /:3:36: 127\.0\.0\.1:5 is also the gRPC port of node 1; choose another port/,
    ],
    [
      "a repeated db_path",
      "nodes:\n  - {id: 1, host: 127.0.0.1, port: 5, db_path: a}\n  - {id: 2, host: 127.0.0.1, port: 6, db_path: ./a}",
      /:3:48: db_path \/etc\/parley\/a is also the db_path of node 1/,
    ],
    [
      "a gRPC port where another node's HTTP is",
      "nodes:\n  - {id: 1, host: 127.0.0.1, port: 7000, db_path: a}\n  - {id: 2, host: 127.0.0.1, port: 8000, db_path: b}",
      /:2:36: the HTTP port \(by default the gRPC port \+ 1000\) 127\.0\.0\.1:8000 is also the gRPC port of node 2; set http_port/,
    ],
    ["no YAML", "nodes: [{id: 1,,", /:1:\d+: /],
    ["a list where a map belongs", "- nodes", /the file: /],
    [
      "an election timeout below three heartbeats",
      `${THREE}timing:\n  election_ms: 100\n  heartbeat_ms: 90`,
      /:6:3: the election timeout \(100 ms\) is less than three heartbeats/,
    ],
    [
      "a host with a port",
      "nodes: [{id: 1, host: 'a/b', port: 1, db_path: a}]",
      /host is a bare name/,
    ],
  ];
  for (const [name, text, expected] of cases) {
    it(name, () => {
      expect(mistake(text)).toMatch(expected);
    });
  }

  it("several at once, each with its line", () => {
    const text = "nodes:\n  - {id: 1, host: 127.0.0.1, port: 0, db_path: a}\nfoo: 1\nbar: 2";
    expect(mistake(text).split("\n")).toHaveLength(3);
  });

  it("a file that is not there", () => {
    expect(() => loadConfig("/nonexistent/x.yaml")).toThrow(/cannot be read .*--config/);
  });
});

describe("P10: nothing listens beyond loopback unless the operator says so", () => {
  const open = "nodes:\n  - {id: 1, host: 10.0.0.5, port: 7401, db_path: a}";
  it("a reachable host is refused, with its line and both ways out", () => {
    expect(mistake(open)).toMatch(
      /:2:19: 10\.0\.0\.5 can be reached.*`insecure: true`.*`--insecure`/,
    );
  });
  it("so is a reachable listen_host", () => {
    const text =
      "nodes:\n  - {id: 1, host: 127.0.0.1, listen_host: 0.0.0.0, port: 7401, db_path: a}";
    expect(mistake(text)).toMatch(/0\.0\.0\.0 can be reached/);
  });
  it("and a name that only looks like loopback", () => {
    expect(mistake(open.replace("10.0.0.5", "127.0.0.1.example.org"))).toMatch(/can be reached/);
  });
  it("insecure: true in the file, or --insecure, accepts it", () => {
    expect(parseConfig(FILE, `insecure: true\n${open}`).insecure).toBe(true);
    expect(parseConfig(FILE, open, { insecure: true }).nodes[0]?.address).toBe("10.0.0.5:7401");
  });
});

describe("the samples in config/", () => {
  for (const [name, count] of [
    ["three", 3],
    ["five", 5],
  ] as const) {
    it(`${name}.yaml is valid`, () => {
      const file = fileURLToPath(new URL(`../../../../config/${name}.yaml`, import.meta.url));
      const config = loadConfig(resolve(file));
      expect(config.nodes).toHaveLength(count);
      expect(config.tuning).toEqual(DEFAULT_TUNING);
    });
  }
});
