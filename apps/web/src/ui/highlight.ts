// Which words of a piece of code are what. The grammars are 38 KB on the wire, and so this file is loaded with the first code that names its language.
import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import cpp from "highlight.js/lib/languages/cpp";
import csharp from "highlight.js/lib/languages/csharp";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import dockerfile from "highlight.js/lib/languages/dockerfile";
import go from "highlight.js/lib/languages/go";
import ini from "highlight.js/lib/languages/ini";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import kotlin from "highlight.js/lib/languages/kotlin";
import lua from "highlight.js/lib/languages/lua";
import makefile from "highlight.js/lib/languages/makefile";
import markdown from "highlight.js/lib/languages/markdown";
import php from "highlight.js/lib/languages/php";
import protobuf from "highlight.js/lib/languages/protobuf";
import python from "highlight.js/lib/languages/python";
import ruby from "highlight.js/lib/languages/ruby";
import rust from "highlight.js/lib/languages/rust";
import shell from "highlight.js/lib/languages/shell";
import sql from "highlight.js/lib/languages/sql";
import swift from "highlight.js/lib/languages/swift";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { createLowlight } from "lowlight";

const lowlight = createLowlight({
  bash,
  c,
  cpp,
  csharp,
  css,
  diff,
  dockerfile,
  go,
  ini,
  java,
  javascript,
  json,
  kotlin,
  lua,
  makefile,
  markdown,
  php,
  protobuf,
  python,
  ruby,
  rust,
  shell,
  sql,
  swift,
  typescript,
  xml,
  yaml,
});

/** Some grammars take quadratically long over what is no code: more than this, or a longer line, stays as it is. */
export const CODE_CHARACTERS_MAX = 6_000;
const LINE_CHARACTERS_MAX = 250;

export interface Piece {
  readonly text: string;
  /** A class of the style sheet, such as `hljs-keyword`; empty = nothing in particular. */
  readonly kind: string;
}

type HighlightNode = ReturnType<typeof lowlight.highlight>["children"][number];

/** The code in pieces, in order; undefined where the language is not known or the code is too long. */
export function piecesOf(language: string, code: string): readonly Piece[] | undefined {
  const name = language.toLowerCase();
  if (!lowlight.registered(name) || code.length > CODE_CHARACTERS_MAX) return undefined;
  if (code.split("\n").some((line) => line.length > LINE_CHARACTERS_MAX)) return undefined;
  const pieces: Piece[] = [];
  // A list and not recursion: code may nest deeper than a stack.
  const open: { readonly node: HighlightNode; readonly kind: string }[] = [];
  const push = (children: readonly HighlightNode[], kind: string) => {
    for (const node of children.toReversed()) open.push({ node, kind });
  };
  push(lowlight.highlight(name, code).children, "");
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { node, kind } = next;
    if (node.type === "text") pieces.push({ text: node.value, kind });
    else if (node.type === "element") push(node.children, kindOf(node.properties.className));
  }
  return pieces;
}

function kindOf(classes: unknown): string {
  const first: unknown = Array.isArray(classes) ? classes[0] : undefined;
  return typeof first === "string" ? first : "";
}
