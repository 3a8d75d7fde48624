import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PasteFilter, withLineBreaks } from "./paste.ts";

/** What the line editor gets of keys that come in these chunks. */
function filtered(...chunks: readonly (string | Buffer)[]): string {
  const filter = new PasteFilter(() => {});
  for (const chunk of chunks) filter.write(chunk);
  let text = "";
  for (let chunk = filter.read(); chunk !== null; chunk = filter.read()) text += String(chunk);
  return text;
}

const paste = (text: string) => `\u001b[200~${text}\u001b[201~`;

describe("pasting", () => {
  it("keeps the lines of a paste together until the person enters them", () => {
    const line = filtered(`say ${paste("one\r\n\ttwo\nthree\n\n")}\r`);
    expect(line).toBe("say one↵    two↵three\r");
    expect(withLineBreaks("say one↵    two↵three")).toBe("say one\n    two\nthree");
  });
  it("lets no key out of a paste", () => {
    expect(filtered(paste("a\u0003\u0004\u001b[Ab\u007f"))).toBe("a[Ab");
  });
  it("passes keys on as they are", () => {
    const keys = ["x", "\u001b", "\u001b[A", "\u001b[", "\u0003", "\r", "é"];
    for (const key of keys) expect(filtered(key)).toBe(key);
  });
  it("does not care where chunks end", () => {
    const whole = Buffer.from(`ab${paste("é漢\n👍")}c\r`);
    // But an Escape at the end of a chunk is a key, unless in a paste.
    const cut = fc.nat(whole.length).filter((at) => at !== 3 && at !== 4);
    fc.assert(
      fc.property(fc.array(cut), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), whole.length];
        const chunks = at.slice(1).map((end, index) => whole.subarray(at[index], end));
        expect(filtered(...chunks)).toBe("abé漢↵👍c\r");
      }),
    );
  });
});
