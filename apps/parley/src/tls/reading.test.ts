import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Logger } from "@parley/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writePair } from "../certs/folder.ts";
import { EXPIRED, NOT_YET, TestAuthority } from "../testing/test-authority.ts";
import { NodeTls } from "./node-tls.ts";
import { readTlsMaterial, type TlsFiles } from "./reading.ts";

const OWNER = { nodeId: 3, host: "127.0.0.1" };

let folder = "";
let files: TlsFiles;
let lab: TestAuthority;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "parley-tls-"));
  const at = (name: string) => join(folder, name);
  files = { ca: at("ca.crt"), cert: at("node-3.crt"), key: at("node-3.key") };
  lab = await TestAuthority.make();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function problem(): string {
  try {
    readTlsMaterial(files, OWNER, Date.now());
  } catch (error) {
    return String(error);
  }
  throw new Error("the files were taken");
}

describe("P10: a node's certificate", () => {
  it("is taken when it is this node's, in time, and of the authority beside it", async () => {
    await lab.equip(folder, [3]);
    const { own, warnings } = readTlsMaterial(files, OWNER, Date.now());
    expect(own).toEqual({ cluster: "lab", role: "node", name: "3" });
    expect(warnings).toEqual([]);
  });

  it("that has expired, or does not count yet, is refused with the date", async () => {
    writePair(folder, "node-3", await lab.sign("node", "3", { validity: EXPIRED }), true);
    expect(problem()).toMatch(/node-3\.crt: the certificate expired on \d{4}-\d\d-\d\d/);
    writePair(folder, "node-3", await lab.sign("node", "3", { validity: NOT_YET }), true);
    expect(problem()).toMatch(/not valid before .* clock/);
  });

  it("of another node, or of no node, is refused by name", async () => {
    writePair(folder, "node-3", await lab.sign("node", "4"), true);
    expect(problem()).toMatch(/it names node 4, but this is node 3/);
    writePair(folder, "node-3", await lab.sign("operator", "ann"), true);
    expect(problem()).toMatch(/it names operator ann/);
  });

  it("of another cluster's authority is refused with its issuer", async () => {
    const other = await TestAuthority.make("elsewhere");
    writePair(folder, "node-3", await other.sign("node", "3"), true);
    expect(problem()).toMatch(/issued by "O=Parley cluster elsewhere.*not the authority in/);
  });

  it("with another's key, without a key, and as garbage is refused", async () => {
    await lab.equip(folder, [3]);
    writeFileSync(files.key, (await lab.sign("node", "3")).key);
    expect(problem()).toMatch(/is not the key of/);
    writeFileSync(files.key, "nothing");
    expect(problem()).toMatch(/no usable private key/);
    writeFileSync(files.cert, "nothing");
    expect(problem()).toMatch(/no certificate in it/);
    rmSync(files.cert);
    expect(problem()).toMatch(/cannot be read/);
  });

  it("that does not name the host, or whose key others can read, is taken with a warning", async () => {
    await lab.equip(folder, [3]);
    writePair(folder, "node-3", await lab.sign("node", "3", { hosts: ["10.9.8.7"] }), true);
    rmSync(files.key);
    const issued = await lab.sign("node", "3", { hosts: ["10.9.8.7"] });
    writeFileSync(files.cert, issued.certificate);
    writeFileSync(files.key, issued.key, { mode: 0o644 });
    const { warnings } = readTlsMaterial(files, OWNER, Date.now());
    expect(warnings[0]).toMatch(/does not name 127\.0\.0\.1/);
    expect(warnings[1]).toMatch(/chmod 600/);
    const warned = (host: string) =>
      readTlsMaterial(files, { ...OWNER, host }, Date.now()).warnings.join();
    expect(warned("chat.example")).toMatch(/does not name chat\.example/);
    expect(warned("10.9.8.7")).not.toMatch(/does not name/);
    expect(warned(""), "one that is told later where it listens").not.toMatch(/does not name/);
  });

  it("is vouched for by either authority while one replaces the other", async () => {
    const next = await TestAuthority.make();
    await lab.equip(folder, [3]);
    writeFileSync(files.ca, `${next.ca}${lab.ca}`);
    expect(readTlsMaterial(files, OWNER, Date.now()).own.name).toBe("3");
  });
});

describe("P10: changed files", () => {
  function logged() {
    const lines: string[] = [];
    const write = (_: object, message: string) => lines.push(message);
    const logger: Logger = { debug: () => {}, info: write, warn: write, error: write };
    return { lines, logger };
  }

  it("are taken up when they are sound, and change nothing when they are not", async () => {
    await lab.equip(folder, [3]);
    const { lines, logger } = logged();
    const tls = new NodeTls(files, OWNER, logger);
    let changes = 0;
    tls.onChange(() => {
      changes += 1;
    });
    const first = tls.material.cert;
    await tls.look();
    expect([changes, tls.material.cert]).toEqual([0, first]);

    // Half of a replacement: the new certificate with the old key.
    const issued = await lab.sign("node", "3");
    writeFileSync(files.cert, issued.certificate);
    await tls.look();
    expect([changes, tls.material.cert]).toEqual([0, first]);
    expect(lines.at(-1)).toMatch(/cannot be used, so those from before stay: .*not the key of/);

    writeFileSync(files.key, issued.key);
    await tls.look();
    expect([changes, tls.material.cert]).toEqual([1, issued.certificate]);
    expect(tls.contextOptions).toMatchObject({ cert: issued.certificate, key: issued.key });
    expect(lines.at(-1)).toMatch(/new connections use the new ones/);
  });

  it("of another cluster are not taken up", async () => {
    await lab.equip(folder, [3]);
    const { lines, logger } = logged();
    const tls = new NodeTls(files, OWNER, logger);
    const other = await TestAuthority.make("elsewhere");
    await other.equip(folder, [3]);
    await tls.look();
    expect(tls.material.own.cluster).toBe("lab");
    expect(lines.at(-1)).toMatch(/is of cluster elsewhere, but this node belongs to lab/);
  });

  it("near their end are announced", async () => {
    await lab.equip(folder, [3]);
    writePair(folder, "node-3", await lab.sign("node", "3", { validity: { days: 5 } }), true);
    const { lines, logger } = logged();
    new NodeTls(files, OWNER, logger);
    expect(lines).toEqual([expect.stringMatching(/expires on \d{4}-\d\d-\d\d/)]);
  });
});
