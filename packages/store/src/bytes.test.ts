import { describe, expect, test } from "vitest";
import { ByteReader, ByteWriter, wholeBuffer } from "./bytes.ts";

describe("packed records", () => {
  test("are read back in the order of writing, however large they grow", () => {
    const large = new Uint8Array(10_000).fill(7);
    const writer = new ByteWriter(1);
    writer
      .u8(255)
      .u32(2 ** 32 - 1)
      .u53(Number.MAX_SAFE_INTEGER)
      .u53(0)
      .text("Grüße 👋")
      .bytes(large);
    writer.bytes(new Uint8Array(0)).u53(2 ** 32);
    const reader = new ByteReader(writer.finish());
    expect(reader.u8()).toBe(255);
    expect(reader.u32()).toBe(2 ** 32 - 1);
    expect(reader.u53()).toBe(Number.MAX_SAFE_INTEGER);
    expect(reader.u53()).toBe(0);
    expect(reader.text()).toBe("Grüße 👋");
    expect(reader.bytes()).toEqual(large);
    expect(reader.bytes()).toHaveLength(0);
    expect(reader.u53()).toBe(2 ** 32);
    expect(reader.atEnd).toBe(true);
  });

  test("that end too early are refused", () => {
    const bytes = new ByteWriter().bytes(new Uint8Array(20)).finish();
    expect(() => new ByteReader(bytes.subarray(0, 10)).bytes()).toThrow(RangeError);
    expect(() => new ByteReader(bytes.subarray(0, 2)).u32()).toThrow(RangeError);
    expect(() => new ByteReader(new Uint8Array(0)).u53()).toThrow(RangeError);
  });

  test("posting a view does not drag its buffer along", () => {
    const frame = new Uint8Array(1_000_000);
    expect(wholeBuffer(frame).buffer).toBe(frame.buffer);
    const part = wholeBuffer(frame.subarray(10, 20));
    expect(part.buffer.byteLength).toBe(10);
    expect(wholeBuffer(Buffer.from("pooled")).buffer.byteLength).toBe(6);
  });
});
