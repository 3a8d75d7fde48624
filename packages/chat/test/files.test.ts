// Files: their bytes come first, piece by piece, then the message that names them; who may read the one may read the other.
import { createHash } from "node:crypto";
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import {
  type Command,
  DownloadRequest,
  DownloadResponse,
  GetAccountRequest,
  GetAccountResponse,
  LIMITS,
  UploadResponse,
} from "@parley/protocol";
import { expect, test } from "vitest";
import {
  type Actor,
  deleteAccountCommand,
  deleteCommand,
  deleteRoomCommand,
  editCommand,
  joinRoomCommand,
  removeMemberCommand,
  uploadCommand,
} from "../src/index.ts";
import { FILES_SINCE, PREVIEWS_SINCE, versionOf } from "../src/state-version.ts";
import { HOUR_MS, World } from "./world.ts";

const CHUNK = LIMITS.fileChunkBytesMax;
const NO_PREVIEW: Uint8Array = new Uint8Array(0);

function bytesOf(length: number, first = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + first) & 0xff);
}

/** Returns what tells how many bytes of blobs have been read since it was asked last, by single rows and by lists. */
function bytesRead(db: DatabaseSync): () => number {
  let bytes = 0;
  const count = (rows: unknown[]) => {
    for (const value of rows.flatMap((row) => Object.values(row ?? {}))) {
      if (value instanceof Uint8Array) bytes += value.length;
    }
    return rows;
  };
  type Reads = (...keys: SQLInputValue[]) => unknown;
  const prepare = db.prepare.bind(db);
  db.prepare = (sql) => {
    const statement = prepare(sql);
    const get = statement.get.bind(statement) as Reads;
    const all = statement.all.bind(statement) as Reads;
    return Object.assign(statement, {
      get: (...keys: SQLInputValue[]) => count([get(...keys)])[0],
      all: (...keys: SQLInputValue[]) => count(all(...keys) as unknown[]),
    } as Pick<StatementSync, "get" | "all">);
  };
  return () => {
    const all = bytes;
    bytes = 0;
    return all;
  };
}

function pair() {
  const world = new World();
  const anna = world.register("anna");
  const bob = world.register("bob");
  const roomId = world.room(anna, "General");
  world.ok(joinRoomCommand({ roomId, requestId: world.id() }, bob));
  world.upgrade();
  const part = (
    actor: Actor,
    id: string,
    all: Uint8Array,
    from: number,
    to: number,
    preview = NO_PREVIEW,
  ) =>
    uploadCommand(
      {
        clientFileId: id,
        name: `${id}.bin`,
        size: all.length,
        sha256: new Uint8Array(createHash("sha256").update(all).digest()),
        offset: from,
        data: all.subarray(from, to),
        preview,
      },
      actor,
    );
  const received = (bytes: Uint8Array) => UploadResponse.decode(bytes).received;
  const upload = (actor: Actor, id: string, all: Uint8Array) => {
    for (let at = 0; at < all.length; at += CHUNK) {
      const end = Math.min(all.length, at + CHUNK);
      expect(received(world.ok(part(actor, id, all, at, end)))).toBe(end);
    }
  };
  const sendFiles = (actor: Actor, ...clientFileIds: string[]) =>
    world.send(actor, roomId, "", { clientFileIds });
  const download = (
    actor: Actor,
    fileId: number,
    offset = 0,
    preview = false,
  ): DownloadResponse | string => {
    const request = DownloadRequest.encode(
      DownloadRequest.fromPartial({ fileId, offset, preview }),
    ).finish();
    const answer = world.read({ kind: "operation", operation: "download", request, ...actor });
    if (answer.kind === "refused") return answer.error.reason;
    if (answer.kind !== "response") throw new Error(answer.kind);
    return DownloadResponse.decode(answer.response);
  };
  const all = (actor: Actor, fileId: number): Uint8Array => {
    const parts: Uint8Array[] = [];
    for (let at = 0; ; ) {
      const answer = download(actor, fileId, at);
      if (typeof answer === "string") throw new Error(answer);
      if (answer.data.length === 0) return Buffer.concat(parts);
      parts.push(answer.data);
      at += answer.data.length;
    }
  };
  const rows = (table: "files" | "file_chunks") =>
    Number(world.db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n);
  return { world, anna, bob, roomId, part, received, upload, sendFiles, download, all, rows };
}

test("a file comes in pieces and is given to a message; its readers get the same bytes", () => {
  const { world, anna, bob, upload, sendFiles, download, all } = pair();
  const large = bytesOf(5 * CHUNK + 7);
  upload(anna, "large", large);
  upload(anna, "small", bytesOf(3, 9));
  const { attachments, body } = sendFiles(anna, "small", "large");
  expect(body).toBe("");
  expect(attachments.map(({ name, size }) => [name, size])).toEqual([
    ["small.bin", 3],
    ["large.bin", large.length],
  ]);
  const [small, big] = attachments.map(({ fileId }) => fileId) as [number, number];
  expect(Buffer.from(all(bob, big)).equals(large)).toBe(true);
  expect(Buffer.from(all(bob, small)).equals(bytesOf(3, 9))).toBe(true);
  // From anywhere in it, and never more than a page.
  const middle = download(bob, big, CHUNK + 5);
  if (typeof middle === "string") throw new Error(middle);
  expect(middle.data).toHaveLength(LIMITS.downloadBytesMax - 5);
  expect(Buffer.from(middle.data).equals(large.subarray(CHUNK + 5, 5 * CHUNK))).toBe(true);
  expect(download(bob, big, large.length)).toMatchObject({ size: large.length });
  expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
});

test("P2: pieces that come again, late or too early change nothing, and the answer says where to go on", () => {
  const { world, anna, roomId, part, received, sendFiles, all, rows } = pair();
  const bytes = bytesOf(100);
  expect(received(world.ok(part(anna, "f", bytes, 0, 40)))).toBe(40);
  expect(received(world.ok(part(anna, "f", bytes, 0, 40)))).toBe(40);
  expect(received(world.ok(part(anna, "f", bytes, 60, 100)))).toBe(40);
  expect(received(world.ok(part(anna, "f", bytes, 20, 60)))).toBe(40);
  expect(world.reason(world.sendOf(anna, roomId, "", { clientFileIds: ["f"] }))).toBe(
    "FILE_NOT_FOUND",
  );
  expect(received(world.ok(part(anna, "f", bytes, 40, 100)))).toBe(100);
  expect(received(world.ok(part(anna, "f", bytes, 40, 100)))).toBe(100);
  expect(rows("file_chunks")).toBe(2);
  const { attachments } = sendFiles(anna, "f");
  expect(Buffer.from(all(anna, attachments[0]?.fileId ?? 0)).equals(bytes)).toBe(true);
  // The id is that file's for ever.
  expect(world.reason(part(anna, "f", bytesOf(100, 2), 0, 40))).toBe("ID_REUSED");
});

test("P2: a message with files that is sent again is stored once, and its id stands for no other files", () => {
  const { world, anna, roomId, upload } = pair();
  for (const id of ["a", "b"]) upload(anna, id, bytesOf(10));
  const parts = { clientMessageId: "m", clientFileIds: ["a"] };
  const first = world.send(anna, roomId, "look", parts);
  expect(world.send(anna, roomId, "look", parts)).toEqual(first);
  const other = world.sendOf(anna, roomId, "look", { ...parts, clientFileIds: ["b"] });
  expect(world.reason(other)).toBe("ID_REUSED");
});

test("only one's own whole file that no message has can be sent", () => {
  const { world, anna, bob, roomId, part, upload, sendFiles } = pair();
  upload(anna, "hers", bytesOf(10));
  world.ok(part(bob, "half", bytesOf(10), 0, 5));
  const reason = (...clientFileIds: string[]) =>
    world.reason(world.sendOf(bob, roomId, "", { clientFileIds }));
  expect(reason("hers")).toBe("FILE_NOT_FOUND");
  expect(reason("half")).toBe("FILE_NOT_FOUND");
  expect(reason("none")).toBe("FILE_NOT_FOUND");
  sendFiles(anna, "hers");
  expect(world.reason(world.sendOf(anna, roomId, "", { clientFileIds: ["hers"] }))).toBe(
    "FILE_NOT_FOUND",
  );
});

test("a file can be read by whoever may read its message, and by nobody before that or after", () => {
  const { world, anna, bob, upload, download } = pair();
  const eve = world.register("eve");
  const secret = world.room(anna, "Secret", 2);
  upload(anna, "f", bytesOf(10));
  expect(download(anna, world.revision)).toBe("FILE_NOT_FOUND");
  const { attachments, seq } = world.send(anna, secret, "", { clientFileIds: ["f"] });
  const fileId = attachments[0]?.fileId ?? 0;
  expect(download(anna, fileId)).toMatchObject({ size: 10 });
  for (const stranger of [bob, eve]) expect(download(stranger, fileId)).toBe("NOT_A_MEMBER");
  const requestId = world.id();
  world.ok(deleteCommand({ roomId: secret, seqs: [seq], requestId }, anna));
  expect(download(anna, fileId)).toBe("FILE_NOT_FOUND");
});

test("who is banned from a public room can't read its files any more", () => {
  const { world, anna, bob, roomId, upload, sendFiles, download } = pair();
  upload(anna, "f", bytesOf(10));
  const fileId = sendFiles(anna, "f").attachments[0]?.fileId ?? 0;
  const ban = { roomId, username: "bob", ban: true, requestId: world.id() };
  world.ok(removeMemberCommand(ban, anna, bob.accountId));
  expect(download(bob, fileId)).toBe("BANNED");
});

test("what is deleted goes little by little, with the message, the room, or the account that sent none", () => {
  const { world, anna, bob, roomId, upload, sendFiles, rows } = pair();
  upload(anna, "long", bytesOf(20 * CHUNK));
  upload(bob, "unsent", bytesOf(10));
  const { seq } = sendFiles(anna, "long");
  const before = rows("file_chunks");
  const [event] = world.events(deleteCommand({ roomId, seqs: [seq], requestId: world.id() }, anna));
  expect(event?.event.event).toMatchObject({ value: { deleted: true, attachments: [] } });
  for (let at = 0; at < 3; at += 1) {
    world.send(anna, roomId, "on");
    expect(before - rows("file_chunks")).toBe(Math.min(20, 8 * (at + 1)));
    expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
  }
  const { credentialsRevision } = bob;
  world.ok(deleteAccountCommand({ requestId: world.id() }, bob, credentialsRevision));
  upload(anna, "last", bytesOf(10));
  sendFiles(anna, "last");
  expect(rows("files")).toBe(1);
  world.ok(deleteRoomCommand({ roomId, requestId: world.id() }, anna));
  world.room(anna, "Another");
  expect([rows("files"), rows("file_chunks")]).toEqual([0, 0]);
  expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
});

test("what no message names is forgotten after a day, and there is a bound to what waits", () => {
  const { world, anna, part, upload, rows } = pair();
  const wait = LIMITS.unsentFilesPerAccountMax;
  for (let at = 0; at < wait; at += 1) upload(anna, `f${at}`, bytesOf(10));
  expect(world.reason(part(anna, "more", bytesOf(10), 0, 10))).toBe("LIMIT_REACHED");
  world.nowMs += LIMITS.unsentFileTtlMs + HOUR_MS;
  expect(world.reason(part(anna, "more", bytesOf(10), 0, 10))).toBe("ok");
  for (let at = 0; at < wait; at += 1) world.room(anna, `room ${at}`);
  expect(rows("files")).toBe(1);
});

test("an account's files have a bound, which deleting makes room under", () => {
  const { world, anna, roomId, part } = pair();
  const all = new Uint8Array(LIMITS.fileBytesMax);
  const files = LIMITS.fileBytesPerAccountMax / LIMITS.fileBytesMax;
  const seqs: number[] = [];
  for (let at = 0; at < files; at += 1) {
    // The size counts from the first piece on. Pieces of nothing would make the test slow: the rows are told that all is here.
    world.ok(part(anna, `f${at}`, all, 0, 1));
    world.db.exec(`UPDATE files SET room_id = ${roomId}, message_id = id WHERE message_id = 0`);
    seqs.push(world.revision);
  }
  expect(world.reason(part(anna, "more", all, 0, 1))).toBe("LIMIT_REACHED");
  // Small ones count as a piece each: there is a bound to their number too.
  const most = LIMITS.fileBytesPerAccountMax / CHUNK;
  world.db.exec(`DELETE FROM files WHERE id <> ${seqs[0]}; UPDATE files SET size = 1`);
  world.db.exec(
    `WITH RECURSIVE n (at) AS (SELECT 1 UNION ALL SELECT at + 1 FROM n WHERE at < ${most - 1})
     INSERT INTO files SELECT 1000000 + n.at, f.account_id, 'copy ' || n.at, f.name, f.size, f.sha256, f.created_at_ms,
     f.received, f.room_id, f.message_id, 0, NULL FROM files f, n`,
  );
  expect(world.reason(part(anna, "tiny", bytesOf(1), 0, 1))).toBe("LIMIT_REACHED");
  world.db.exec("DELETE FROM files WHERE id = 1000001");
  expect(world.reason(part(anna, "tiny", bytesOf(1), 0, 1))).toBe("ok");
});

test("what makes no sense is refused", () => {
  const { world, anna, roomId, upload, sendFiles } = pair();
  const base = {
    clientFileId: "f",
    name: "a.png",
    size: 10,
    sha256: new Uint8Array(32),
    offset: 0,
    data: bytesOf(10),
    preview: NO_PREVIEW,
  };
  const refused = (build: () => Command) => {
    try {
      return world.reason(build());
    } catch (error) {
      return (error as { reason: string }).reason;
    }
  };
  const reason = (change: Partial<typeof base>) =>
    refused(() => uploadCommand({ ...base, ...change }, anna));
  expect(reason({ offset: 4 })).toBe("INVALID_ARGUMENT");
  expect(reason({ size: 0, data: new Uint8Array(0) })).toBe("INVALID_ARGUMENT");
  expect(reason({ size: LIMITS.fileBytesMax + 1 })).toBe("TOO_LARGE");
  expect(reason({ size: CHUNK * 2, data: new Uint8Array(CHUNK + 1) })).toBe("TOO_LARGE");
  expect(reason({ data: new Uint8Array(0) })).toBe("INVALID_ARGUMENT");
  expect(reason({ sha256: new Uint8Array(31) })).toBe("INVALID_ARGUMENT");
  expect(reason({ preview: new Uint8Array(LIMITS.filePreviewBytesMax + 1) })).toBe("TOO_LARGE");
  expect(reason({ size: 20, preview: bytesOf(1) })).toBe("INVALID_ARGUMENT");
  expect(reason({ clientFileId: "" })).toBe("INVALID_ARGUMENT");
  for (const name of ["", "../etc/passwd", "a\\b", "cv\u202egpj.exe", "x".repeat(256), "\n"]) {
    expect(reason({ name }), JSON.stringify(name)).toMatch(/INVALID_ARGUMENT|TOO_LARGE/);
  }
  const send = (clientFileIds: string[]) =>
    refused(() => world.sendOf(anna, roomId, "", { clientFileIds }));
  upload(anna, "g", bytesOf(10));
  expect(send(["g", "g"])).toBe("INVALID_ARGUMENT");
  expect(send(Array.from({ length: 9 }, (_, at) => `g${at}`))).toBe("TOO_LARGE");
  // A message keeps its text when it is edited, files or not.
  const { seq } = sendFiles(anna, "g");
  const edit = { roomId, seq, body: "with words", expectedVersion: 0, requestId: world.id() };
  world.ok(editCommand(edit, anna));
});

test("files are there once every server knows them", () => {
  const world = new World();
  const anna = world.register("anna");
  const command = uploadCommand(
    {
      clientFileId: "f",
      name: "a",
      size: 1,
      sha256: new Uint8Array(32),
      offset: 0,
      data: bytesOf(1),
      preview: NO_PREVIEW,
    },
    anna,
  );
  expect(world.reason(command)).toBe("NOT_YET_SUPPORTED");
  world.upgrade();
  expect(world.reason(command)).toBe("ok");
});

test("a preview comes with a file's last piece, is read by whoever may read the file, and goes with it", () => {
  const { world, anna, bob, roomId, part, sendFiles, download } = pair();
  const secret = world.room(anna, "Secret", 2);
  const bytes = bytesOf(2 * CHUNK);
  const preview = bytesOf(LIMITS.filePreviewBytesMax, 7);
  world.ok(part(anna, "f", bytes, 0, CHUNK));
  world.ok(part(anna, "f", bytes, CHUNK, bytes.length, preview));
  // Again and otherwise: the file is whole, nothing of it changes any more.
  world.ok(part(anna, "f", bytes, CHUNK, bytes.length, bytesOf(5)));
  world.ok(part(anna, "plain", bytesOf(9), 0, 9));
  const { attachments, seq } = sendFiles(anna, "f", "plain");
  expect(attachments.map(({ previewSize }) => previewSize)).toEqual([preview.length, 0]);
  const [shown, plain] = attachments.map(({ fileId }) => fileId) as [number, number];
  expect(download(bob, shown, 0, true)).toMatchObject({ size: preview.length, data: preview });
  expect(download(bob, shown, 10, true)).toMatchObject({ data: preview.subarray(10) });
  expect(download(bob, shown, preview.length, true)).toMatchObject({ data: NO_PREVIEW });
  expect(download(bob, plain, 0, true)).toMatchObject({ size: 0, data: NO_PREVIEW });
  world.ok(part(anna, "hidden", bytesOf(9), 0, 9, preview));
  const [hidden] = world.send(anna, secret, "", { clientFileIds: ["hidden"] }).attachments;
  expect(download(bob, hidden?.fileId ?? 0, 0, true)).toBe("NOT_A_MEMBER");
  expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
  world.ok(deleteCommand({ roomId, seqs: [seq], requestId: world.id() }, anna));
  expect(download(bob, shown, 0, true)).toBe("FILE_NOT_FOUND");
  expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
});

test("P11: whoever reads a file's bytes does not have its preview read from the disk", () => {
  const { world, anna, part, sendFiles, download } = pair();
  const preview = bytesOf(LIMITS.filePreviewBytesMax, 7);
  world.ok(part(anna, "shown", bytesOf(9), 0, 9, preview));
  const fileId = sendFiles(anna, "shown").attachments[0]?.fileId ?? 0;
  const read = bytesRead(world.db);
  expect(download(anna, fileId)).toMatchObject({ data: bytesOf(9) });
  expect(read()).toBe(9);
  expect(download(anna, fileId, 0, true)).toMatchObject({ data: preview });
  expect(read()).toBe(preview.length);
});

test("while a server does not know of previews, files go without", () => {
  const { anna, part } = pair();
  const { op } = part(anna, "f", bytesOf(3), 0, 3, bytesOf(2));
  if (op?.$case !== "upload") throw new Error("no upload");
  const request = { ...op.value };
  expect(versionOf(op)).toBe(PREVIEWS_SINCE);
  const older = uploadCommand(request, anna, PREVIEWS_SINCE - 1);
  expect(older.version).toBe(FILES_SINCE);
  expect(older.op).toMatchObject({ value: { data: request.data, preview: NO_PREVIEW } });
});

test("an account is told what its files count for, and nobody else is", () => {
  const { world, anna, bob, roomId, upload, sendFiles } = pair();
  const bytesOfAnna = (asked: Actor) => {
    const request = GetAccountRequest.encode(
      GetAccountRequest.fromPartial({ accountId: anna.accountId }),
    ).finish();
    const answer = world.read({ kind: "operation", operation: "getAccount", request, ...asked });
    if (answer.kind !== "response") throw new Error(answer.kind);
    return GetAccountResponse.decode(answer.response).fileBytes;
  };
  expect(bytesOfAnna(anna)).toBe(0);
  upload(anna, "large", bytesOf(CHUNK + 1));
  upload(anna, "small", bytesOf(1));
  expect(bytesOfAnna(anna)).toBe(CHUNK + 1 + CHUNK);
  const { seq } = sendFiles(anna, "large");
  expect(bytesOfAnna(anna)).toBe(CHUNK + 1 + CHUNK);
  expect(bytesOfAnna(bob)).toBe(0);
  world.ok(deleteCommand({ roomId, seqs: [seq], requestId: world.id() }, anna));
  expect(bytesOfAnna(anna)).toBe(CHUNK);
});
