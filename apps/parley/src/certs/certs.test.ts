import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { buildProgram } from "../cli/program.ts";
import { certifiedNameOf } from "../tls/certified-name.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-certs-"));
  writeFileSync(
    join(folder, "config.yaml"),
    `nodes:
  - {id: 1, host: 10.0.0.1, port: 7400, db_path: a.db, listen_host: 0.0.0.0}
  - {id: 2, host: chat.example.org, port: 7400, db_path: b.db}
`,
  );
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function certs(...args: readonly string[]): Promise<void> {
  const config = ["--config", join(folder, "config.yaml"), "--json"];
  await buildProgram().parseAsync(["certs", ...args, ...config], { from: "user" });
}

const at = (name: string) => join(folder, "certs", name);
const certificate = (name: string) => new X509Certificate(readFileSync(at(name)));

it("P10: init, node and client make what a file with nothing but nodes needs", async () => {
  await certs("init", "--cluster", "lab");
  await certs("node");
  await certs("client", "--operator");
  await certs("client", "ann", "--days", "5");
  const ca = certificate("ca.crt");
  expect(ca.ca).toBe(true);
  const expected = [
    ["node-1.crt", { cluster: "lab", role: "node", name: "1" }],
    ["node-2.crt", { cluster: "lab", role: "node", name: "2" }],
    ["client.crt", { cluster: "lab", role: "operator", name: "operator" }],
    ["client-ann.crt", { cluster: "lab", role: "client", name: "ann" }],
  ] as const;
  for (const [file, name] of expected) {
    const made = certificate(file);
    expect(certifiedNameOf(made)).toEqual(name);
    expect([made.checkIssued(ca), made.verify(ca.publicKey), made.ca]).toEqual([true, true, false]);
    expect(made.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
  }
  expect(certificate("node-1.crt").checkIP("10.0.0.1")).toBe("10.0.0.1");
  expect(certificate("node-1.crt").subjectAltName).not.toContain("0.0.0.0");
  expect(certificate("node-2.crt").checkHost("chat.example.org")).toBe("chat.example.org");
  expect(certificate("node-2.crt").checkIP("10.0.0.1")).toBeUndefined();
  const days = (certificate("client-ann.crt").validToDate.getTime() - Date.now()) / 86_400_000;
  expect(days).toBeGreaterThan(4.9);
  expect(days).toBeLessThanOrEqual(5);
  for (const key of ["ca.key", "node-1.key", "client.key"]) {
    expect(statSync(at(key)).mode & 0o777).toBe(0o600);
  }
});

it("nothing is replaced unless that is asked for, and an authority never", async () => {
  await certs("init");
  await certs("node", "1");
  const before = readFileSync(at("node-1.crt"), "utf8");
  await expect(certs("node", "1")).rejects.toThrow(/is there already; say --replace/);
  await certs("node", "1", "--replace");
  expect(readFileSync(at("node-1.crt"), "utf8")).not.toBe(before);
  await expect(certs("init")).rejects.toThrow(/would cut off every certificate/);
});

it("what is missing or makes no sense is told with what to do", async () => {
  await expect(certs("node")).rejects.toThrow(/ca\.crt is missing.*parley certs init/);
  await expect(certs("init", "--cluster", "a b/c")).rejects.toThrow(/letters, digits/);
  await certs("init");
  await expect(certs("node", "7")).rejects.toThrow(/has no node 7; say .*--host/);
  await certs("node", "7", "--host", "10.0.0.7");
  expect(certificate("node-7.crt").checkIP("10.0.0.7")).toBe("10.0.0.7");
  writeFileSync(at("ca.key"), "nothing");
  await expect(certs("client")).rejects.toThrow(/cannot be used/);
});
