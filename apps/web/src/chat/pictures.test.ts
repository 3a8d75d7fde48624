// What is shown as a picture, by its bytes.
import { expect, test } from "vitest";
import { pictureOf } from "./pictures.ts";

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const GIF = Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64");

function sized(width: number, height: number): Buffer {
  const bomb = Buffer.from(PNG);
  bomb.writeUInt32BE(width, 16);
  bomb.writeUInt32BE(height, 20);
  return bomb;
}

test("a picture is known by its bytes", () => {
  expect(pictureOf(PNG)).toEqual({ mediaType: "image/png", width: 1, height: 1 });
  expect(pictureOf(GIF)).toEqual({ mediaType: "image/gif", width: 1, height: 1 });
});

test("what only says so, what is a program, and what would fill the memory is none", () => {
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script/></svg>';
  for (const bytes of [
    Buffer.from("MZ this is a program"),
    Buffer.from(svg),
    Buffer.from("<html><script>alert(1)</script>"),
    Buffer.alloc(0),
    PNG.subarray(0, 12),
    sized(60_000, 60_000),
    sized(0, 10),
  ]) {
    expect(pictureOf(bytes)).toBeUndefined();
  }
});

test("a preview is shown unasked, so it may be no larger than those that are made here", () => {
  expect(pictureOf(sized(640, 640), "preview")).toMatchObject({ width: 640 });
  expect(pictureOf(sized(641, 640), "preview")).toBeUndefined();
  expect(pictureOf(sized(641, 640))).toMatchObject({ width: 641 });
});

test("garbage never throws", () => {
  for (let seed = 0; seed < 2_000; seed += 1) {
    const bytes = Uint8Array.from({ length: seed % 97 }, (_, at) => (seed * 31 + at * 17) & 0xff);
    if (seed % 2 === 0) bytes.set(PNG.subarray(0, Math.min(8, bytes.length)));
    expect(() => pictureOf(bytes)).not.toThrow();
  }
});
