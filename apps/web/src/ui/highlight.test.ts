import { expect, test } from "vitest";
import { CODE_CHARACTERS_MAX, piecesOf } from "./highlight.ts";

const joined = (language: string, code: string) =>
  piecesOf(language, code)
    ?.map(({ text }) => text)
    .join("");

test("code in pieces: keywords, strings and comments, and nothing of it is lost", () => {
  const code = `const x = "<b>"; // why\nreturn \`a\${x + 1}\`;\n`;
  expect(joined("ts", code)).toBe(code);
  expect(piecesOf("TypeScript", code)).toContainEqual({ text: "const", kind: "hljs-keyword" });
  expect(piecesOf("ts", code)).toContainEqual({ text: '"<b>"', kind: "hljs-string" });
  expect(piecesOf("ts", code)).toContainEqual({ text: "// why", kind: "hljs-comment" });
  for (const language of ["py", "rust", "sh", "yaml", "sql", "proto", "html", "diff", "c++"]) {
    expect(joined(language, "a = 1 # b\n- c: <d>\n"), language).toBe("a = 1 # b\n- c: <d>\n");
  }
});

test("P11: an unknown language, and code that is too long or in too long lines, stay as they are", () => {
  expect(piecesOf("no-such-language", "x")).toBeUndefined();
  expect(piecesOf("js", "x\n".repeat(CODE_CHARACTERS_MAX))).toBeUndefined();
  expect(piecesOf("js", "_".repeat(1_000))).toBeUndefined();
});

test("P11: code that nests deeper than a stack", () => {
  const code = "`${\n".repeat(1_400);
  expect(joined("js", code)).toBe(code);
});
