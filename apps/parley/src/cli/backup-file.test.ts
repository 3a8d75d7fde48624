import { createHash } from "node:crypto";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { BackupHead } from "@parley/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BackupWriter, FORMAT_VERSION, readBackup, verifyBackup } from "./backup-file.ts";

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-backup-"));
  path = join(folder, "chat.backup");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const CHAT = new Uint8Array(10_000).map((_, at) => (at * 7) % 251);

function headOf(fields: Partial<BackupHead> = {}): BackupHead {
  const sha256 = new Uint8Array(createHash("sha256").update(CHAT).digest());
  return BackupHead.fromPartial({
    formatVersion: FORMAT_VERSION,
    bytes: CHAT.length,
    sha256,
    ...fields,
  });
}

function write(head = headOf()): void {
  const writer = new BackupWriter(path, head);
  for (const part of [CHAT.subarray(0, 4_000), CHAT.subarray(4_000)]) writer.add(part, crc32(part));
  writer.finish();
}

test("what was written is read again, and is whole", () => {
  write();
  expect(BackupHead.encode(verifyBackup(path)).finish()).toEqual(
    BackupHead.encode(headOf()).finish(),
  );
  const parts: Uint8Array[] = [];
  readBackup(path, (bytes) => parts.push(bytes.slice()));
  expect(Buffer.concat(parts)).toEqual(Buffer.from(CHAT));
});

test("a backup that broke off has no name, and is gone when it is given up", () => {
  const writer = new BackupWriter(path, headOf());
  const part = CHAT.subarray(0, 4_000);
  writer.add(part, crc32(part));
  expect(() => writer.finish()).toThrow(/not whole: 4000 of 10000 bytes/);
  expect(existsSync(path)).toBe(false);
  writer.abandon();
  expect(existsSync(`${path}.part`)).toBe(false);
});

test("what was damaged on its way is refused at once", () => {
  const writer = new BackupWriter(path, headOf());
  expect(() => writer.add(CHAT, crc32(CHAT) ^ 1)).toThrow(/damaged on its way/);
  writer.abandon();
});

test("damage anywhere in the file is found, and said in words", () => {
  write();
  const whole = readFileSync(path);
  for (let at = 0; at < whole.length; at += 37) {
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] ?? 0) ^ 4;
    writeFileSync(path, bytes);
    expect(() => verifyBackup(path), `byte ${at}`).toThrow(/damaged|not a backup/);
  }
  writeFileSync(path, whole);
  truncateSync(path, whole.length - 1);
  expect(() => verifyBackup(path)).toThrow(/9999 of 10000 bytes are there/);
  truncateSync(path, 5);
  expect(() => verifyBackup(path)).toThrow("is not a backup of Parley");
});

test("a backup of a newer version says what to use instead", () => {
  write();
  const whole = readFileSync(path);
  const newer = BackupHead.encode(headOf({ formatVersion: FORMAT_VERSION + 1 })).finish();
  const frame = Buffer.alloc(8);
  frame.writeUInt32LE(newer.length, 0);
  frame.writeUInt32LE(crc32(newer), 4);
  writeFileSync(path, Buffer.concat([whole.subarray(0, 8), frame, newer, CHAT]));
  expect(() => verifyBackup(path)).toThrow(/of a newer Parley; .* Use the version that made it/);
});
