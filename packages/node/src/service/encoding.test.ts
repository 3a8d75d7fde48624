import fc from "fast-check";
import { expect, test } from "vitest";
import { toBase64Url, toHex } from "./encoding.ts";

test("bytes have the same text forms as in Node's Buffer", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
      expect(toHex(bytes)).toBe(Buffer.from(bytes).toString("hex"));
      expect(toBase64Url(bytes)).toBe(Buffer.from(bytes).toString("base64url"));
    }),
  );
});
