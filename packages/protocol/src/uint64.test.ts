import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { describe, expect, test } from "vitest";
import { readUint64, writeUint64 } from "./uint64.ts";

const NUMBERS = [0, 1, 127, 128, 2 ** 28 - 1, 2 ** 28, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 35 + 7]
  .concat([2 ** 49, 2 ** 52 + 12_345, 1_767_225_600_000, Number.MAX_SAFE_INTEGER])
  .concat(Array.from({ length: 52 }, (_, bits) => 2 ** bits + (bits % 3)));

describe("64-bit numbers", () => {
  test("are written as the library writes them, and read again", () => {
    for (const number of NUMBERS) {
      const bytes = writeUint64(new BinaryWriter(), number).finish();
      expect(bytes).toEqual(new BinaryWriter().uint64(number).finish());
      const reader = new BinaryReader(bytes);
      expect(readUint64(reader)).toBe(number);
      expect(reader.pos).toBe(bytes.length);
    }
  });

  test("that are no safe integers are refused", () => {
    for (const number of [2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
      const bytes = new BinaryWriter().uint64(number).finish();
      expect(() => readUint64(new BinaryReader(bytes))).toThrow("MAX_SAFE_INTEGER");
    }
    for (const number of [-1, 0.5, Number.NaN]) {
      expect(() => writeUint64(new BinaryWriter(), number)).toThrow();
    }
  });

  test("that are cut off, or have no end, are refused", () => {
    expect(() => readUint64(new BinaryReader(new Uint8Array([0x80])))).toThrow();
    expect(() => readUint64(new BinaryReader(new Uint8Array(12).fill(0xff)))).toThrow();
  });
});
