import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { ParleyClient } from "@parley/client";
import { grpcCarrier } from "@parley/client/grpc";
import { RoomVisibility, SendRequest } from "@parley/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually, type RunningServer, startServer } from "../testing/running-server.ts";
import { VERSION } from "../version.ts";
import { diskUse } from "./disk-use.ts";

let server: RunningServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.stop());

/** Samples by name and labels. */
async function scrape(): Promise<ReadonlyMap<string, number>> {
  const reply = await fetch(`${server.http}/metrics`);
  expect(reply.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  const samples = new Map<string, number>();
  for (const line of (await reply.text()).split("\n")) {
    const match = /^([a-z_]+(?:\{[^}]*\})?) (\S+)$/.exec(line);
    if (match !== null) samples.set(match[1] ?? "", Number(match[2]));
  }
  return samples;
}

describe("/metrics", () => {
  it("tells of the node, its members, its clients and its disk", async () => {
    const client = new ParleyClient({ servers: server.address, carrier: grpcCarrier() });
    await client.start();
    await client.register({ username: "secretive", password: "a long password" });
    const room = { name: "hidden", visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC };
    const roomId = (await client.call("createRoom", room)).room?.id ?? 0;
    for (let at = 0; at < 5; at += 1) await client.send(roomId, "counted");

    const samples = await scrape();
    const value = (name: string) => samples.get(name);
    expect(value("parley_leader")).toBe(1);
    expect(value("parley_leader_id")).toBe(1);
    expect(value("parley_quorum")).toBe(1);
    expect(value("parley_term")).toBeGreaterThanOrEqual(1);
    expect(value("parley_applied_index")).toBeGreaterThanOrEqual(8);
    expect(value("parley_commit_index")).toBe(value("parley_applied_index"));
    expect(value('parley_member_lag_entries{member="1"}')).toBe(0);
    expect(value('parley_member_healthy{member="1"}')).toBe(1);
    expect(value("parley_sessions")).toBe(1);
    expect(value("parley_connections")).toBe(1);
    expect(value("parley_leaders_seen_total")).toBe(1);
    expect(value('parley_queue_depth{queue="proposals"}')).toBe(0);
    expect(value("parley_copies_sent_total")).toBe(0);
    // The first term, an account, a room and its messages: at least one sync each, since none overlapped.
    expect(value("parley_log_sync_seconds_count")).toBeGreaterThanOrEqual(8);
    expect(value("parley_log_sync_seconds_sum")).toBeGreaterThan(0);
    expect(value("parley_disk_free_bytes")).toBeGreaterThan(0);
    for (const file of ["raft", "chat"]) {
      expect(value(`parley_file_bytes{file="${file}"}`)).toBeGreaterThan(0);
    }
    expect(value(`parley_build_info{version="${VERSION}",node="${process.versions.node}"}`)).toBe(
      1,
    );
    expect([...samples.keys()].some((name) => name.startsWith("nodejs_eventloop_lag"))).toBe(true);
    expect(value("parley_certificate_expiry_timestamp_seconds")).toBeUndefined();
    await client.close();
    await eventually(
      "the session is gone",
      async () => (await scrape()).get("parley_sessions") === 0,
    );
  });

  it("counts refusals by reason, of sessions and of unary calls, and names nobody (P11)", async () => {
    const refused = 'parley_refusals_total{reason="UNAUTHENTICATED"}';
    const before = (await scrape()).get(refused) ?? 0;
    const client = new Client(server.address, credentials.createInsecure());
    const request = SendRequest.encode(SendRequest.fromPartial({ roomId: 1, body: "x" })).finish();
    const asIs = (bytes: Uint8Array) => Buffer.from(bytes);
    await new Promise<ServiceError | null>((resolve) => {
      client.makeUnaryRequest("/parley.v1.Chat/Send", asIs, asIs, request, resolve);
    });
    client.close();
    expect((await scrape()).get(refused)).toBe(before + 1);

    const guest = new ParleyClient({ servers: server.address, carrier: grpcCarrier() });
    await guest.start();
    const login = guest.login({ username: "secretive", password: "wrong" });
    await expect(login).rejects.toMatchObject({ reason: "WRONG_CREDENTIALS" });
    await guest.close();
    expect((await scrape()).get('parley_refusals_total{reason="WRONG_CREDENTIALS"}')).toBe(1);

    const text = await (await fetch(`${server.http}/metrics`)).text();
    for (const name of ["secretive", "hidden", "127.0.0.1"]) expect(text).not.toContain(name);
  });
});

it("files are told apart by what they hold; others beside them do not count", async () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-disk-use-"));
  try {
    const sizes = { "n.db": 1, "n.db-wal": 2, "n.db-chat-0001": 4, "n.db-chat-0001-wal": 8 };
    const others = { "n.db-highwater": 16, "n.db2": 32, "another.db": 64 };
    for (const [name, size] of Object.entries({ ...sizes, ...others })) {
      writeFileSync(join(folder, name), Buffer.alloc(size));
    }
    const { files, freeBytes } = await diskUse(join(folder, "n.db"));
    expect(files).toEqual({ raft: 1, raft_wal: 2, chat: 4, chat_wal: 8, other: 16 });
    expect(freeBytes).toBeGreaterThan(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it("the version is the package's", () => {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  expect(JSON.parse(manifest)).toMatchObject({ version: VERSION });
});

it("the dashboard asks for nothing that is not exposed", async () => {
  const dashboard = readFileSync(
    new URL("../../../../deploy/grafana-dashboard.json", import.meta.url),
    "utf8",
  );
  JSON.parse(dashboard);
  const asked = new Set(dashboard.match(/\b(?:parley|nodejs|process)_[a-z0-9_]+/g));
  const text = await (await fetch(`${server.http}/metrics`)).text();
  const exposed = new Set(text.match(/^# TYPE \S+/gm)?.map((line) => line.slice("# TYPE ".length)));
  const missing = [...asked].filter(
    (name) => !exposed.has(name.replace(/_(bucket|sum|count)$/, "")),
  );
  expect(asked.size).toBeGreaterThan(15);
  expect(missing).toEqual([]);
});
