import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { writePair } from "../certs/folder.ts";
import { writeClusterFile } from "../dev/cluster-file.ts";
import { operatorToken } from "../server/secrets.ts";
import { TestAuthority } from "../testing/test-authority.ts";
import { operatorBearer } from "./operator-token.ts";
import { resolveTrust } from "./trust.ts";

const HERE = ["127.0.0.1:7401"];
const NOBODY = { XDG_STATE_HOME: "/nowhere" };
let folder = "";
let lab: TestAuthority;

beforeAll(async () => {
  lab = await TestAuthority.make();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-trust-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A dev cluster's folder at `.parley`, with the servers of HERE. */
function devFolder(): string {
  const dev = join(folder, ".parley");
  mkdirSync(dev);
  const node = { id: 1, pid: null, grpc: HERE[0] ?? "", http: "", db_path: "" };
  writeClusterFile(dev, { nodes: [node] });
  return dev;
}

describe("whom a command trusts", () => {
  it("nobody, in plain text, where no certificates are", () => {
    expect(resolveTrust({}, HERE, {}, folder)).toBeUndefined();
  });

  it("the authority in certs/ of this folder, with the client's own pair beside it", async () => {
    await lab.equip(join(folder, "certs"), []);
    const found = resolveTrust({}, HERE, {}, folder);
    expect(String(found?.tls.ca)).toBe(lab.ca);
    expect(found?.tls.cert).toBeUndefined();
    const own = await lab.sign("operator", "ops");
    writePair(join(folder, "certs"), "client", own, false);
    expect(String(resolveTrust({}, HERE, {}, folder)?.tls.cert)).toBe(own.certificate);
    expect(resolveTrust({ insecure: true }, HERE, {}, folder)).toBeUndefined();
  });

  it("the dev cluster's own authority for its servers, found from below", async () => {
    const dev = devFolder();
    const below = join(folder, "some", "where");
    mkdirSync(below, { recursive: true });
    expect(resolveTrust({}, HERE, {}, below)).toBeUndefined();
    await lab.equip(join(dev, "certs"), [1]);
    expect(String(resolveTrust({}, HERE, {}, below)?.tls.ca)).toBe(lab.ca);
    expect(resolveTrust({}, ["10.0.0.9:7400"], {}, below)).toBeUndefined();
  });

  it("flags before variables before what is found", async () => {
    const other = await TestAuthority.make();
    await lab.equip(join(folder, "certs"), []);
    const file = join(folder, "other.crt");
    writeFileSync(file, other.ca);
    const variables = { PARLEY_CA: file };
    expect(String(resolveTrust({}, HERE, variables, folder)?.tls.ca)).toBe(other.ca);
    const flags = { ca: join(folder, "certs", "ca.crt") };
    expect(String(resolveTrust(flags, HERE, variables, folder)?.tls.ca)).toBe(lab.ca);
  });

  it("says what is missing or cannot be used", async () => {
    const ca = join(folder, "ca.crt");
    expect(() => resolveTrust({ ca }, HERE, {}, folder)).toThrow(/ca\.crt cannot be read/);
    expect(() => resolveTrust({ cert: "c" }, HERE, {}, folder)).toThrow(/both --cert and --key/);
    expect(() => resolveTrust({ cert: "c", key: "k" }, HERE, {}, folder)).toThrow(/--ca as well/);
    writeFileSync(ca, lab.ca);
    const own = await lab.sign("client", "ann");
    const foreign = await lab.sign("client", "bob");
    const pair = writePair(folder, "c", { certificate: own.certificate, key: foreign.key }, false);
    const flags = { ca, cert: pair.certificate, key: pair.key };
    expect(() => resolveTrust(flags, HERE, {}, folder)).toThrow(/cannot be used: .*key/);
  });
});

describe("by what right a command changes the cluster", () => {
  it("the operator token of the dev cluster counts before a login, and for its servers alone", () => {
    const token = operatorToken(devFolder());
    const environment = { ...NOBODY, PARLEY_TOKEN: "a login" };
    expect(operatorBearer(HERE, environment, folder)).toBe(token);
    expect(operatorBearer(["10.0.0.9:7400"], environment, folder)).toBe("a login");
  });

  it("a token that is given counts before all", () => {
    operatorToken(devFolder());
    expect(operatorBearer(HERE, { PARLEY_OPERATOR_TOKEN: "given" }, folder)).toBe("given");
  });
});
