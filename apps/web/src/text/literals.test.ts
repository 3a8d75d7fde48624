// Nothing that a person reads stands in the code: it would be English for everybody. Read from the syntax of every file of the page.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseAst } from "vite";
import { expect, test } from "vitest";
import { english } from "./english.ts";

const SOURCES = fileURLToPath(new URL("../", import.meta.url));
const FOLDERS = ["ui", "chat", "text"];

interface Syntax {
  readonly type: string;
  readonly start: number;
  readonly [field: string]: unknown;
}

const LETTER = /\p{L}/u;
/** Two words, side by side: no name of an option, a class or an event has a space in it. */
const WORDS = /\p{L}\S* +\p{L}/u;
/** The attributes that are read, or read out. */
const READ = new Set(["aria-label", "aria-description", "aria-roledescription", "title", "alt"])
  .add("placeholder")
  .add("label")
  .add("text");
/** What is written the same in all languages: keys, and what is typed as a command. */
const UNTRANSLATED = new Set(["kbd", "code"]);
/** As they stand on keyboards. */
const KEYS = /^(?:Ctrl|Shift) (?:Shift )?\p{L}+$/u;
/** Attributes with lists of names. */
const LISTS = new Set(["className", "rel"]);
/** For developers, or in the languages of the browser. */
const NOT_READ = new Set(["matchMedia", "querySelector", "querySelectorAll", "closest"]).add(
  "matches",
);

function isSyntax(value: unknown): value is Syntax {
  return typeof value === "object" && value !== null && "type" in value;
}

function childrenOf(node: Syntax): Syntax[] {
  return Object.values(node).flat().filter(isSyntax);
}

function nameOf(node: unknown): string {
  if (!isSyntax(node)) return "";
  if (node.type === "MemberExpression") {
    const object = nameOf(node.object);
    return object === "console" ? object : nameOf(node.property);
  }
  return typeof node.name === "string" ? node.name : "";
}

/** The texts of a string or a template; none of anything else. */
function textsOf(node: Syntax): string[] {
  if (node.type === "Literal") return typeof node.value === "string" ? [node.value] : [];
  if (node.type !== "TemplateLiteral") return [];
  const quasis = node.quasis as readonly { readonly value: { readonly cooked: string } }[];
  return quasis.map(({ value }) => value.cooked);
}

/** What an expression can come out as: both ways of a condition, not what it compares or calls with. */
function outcomesOf(node: Syntax): Syntax[] {
  switch (node.type) {
    case "ConditionalExpression":
      return [node.consequent, node.alternate].filter(isSyntax).flatMap(outcomesOf);
    case "LogicalExpression":
      return [node.left, node.right].filter(isSyntax).flatMap(outcomesOf);
    case "JSXExpressionContainer":
      return isSyntax(node.expression) ? outcomesOf(node.expression) : [];
    default:
      return [node];
  }
}

/** The literal texts of one file that somebody would read. */
export function literalsIn(source: string): string[] {
  const found: string[] = [];
  const tell = (node: Syntax, pattern: RegExp) => {
    for (const text of textsOf(node)) if (pattern.test(text) && !KEYS.test(text)) found.push(text);
  };
  const look = (node: Syntax): void => {
    switch (node.type) {
      case "ImportDeclaration":
        return;
      case "JSXElement": {
        const opening = node.openingElement as Syntax;
        if (UNTRANSLATED.has(nameOf(opening.name))) return;
        for (const child of node.children as Syntax[]) {
          if (child.type === "JSXText" && LETTER.test(String(child.value))) {
            found.push(String(child.value).trim());
          }
          if (child.type === "JSXExpressionContainer") {
            for (const outcome of outcomesOf(child)) tell(outcome, LETTER);
          }
        }
        break;
      }
      case "JSXAttribute": {
        const name = nameOf(node.name);
        if (LISTS.has(name)) return;
        if (READ.has(name) && isSyntax(node.value)) {
          for (const outcome of outcomesOf(node.value)) tell(outcome, LETTER);
        }
        break;
      }
      case "NewExpression":
        if (nameOf(node.callee).endsWith("Error")) return;
        break;
      case "CallExpression": {
        const name = nameOf(node.callee);
        if (name === "console" || NOT_READ.has(name)) return;
        break;
      }
      default:
        tell(node, WORDS);
    }
    for (const child of childrenOf(node)) look(child);
  };
  look(parseAst(source, { lang: "tsx" }) as unknown as Syntax);
  return [...new Set(found)];
}

function sourcesOf(folder: string): string[] {
  return readdirSync(`${SOURCES}${folder}`)
    .filter((name) => /\.tsx?$/.test(name) && !/\.test\.tsx?$/.test(name))
    .map((name) => `${folder}/${name}`);
}

const CATALOGUES = ["text/english.ts", "text/english-problems.ts"];
const files = FOLDERS.flatMap(sourcesOf).filter((file) => !CATALOGUES.includes(file));

test.each(files)("%s says nothing but what stands in the catalogue", (file) => {
  expect(literalsIn(readFileSync(`${SOURCES}${file}`, "utf8"))).toEqual([]);
});

test("every text of the catalogue is said somewhere", () => {
  const all = files.map((file) => readFileSync(`${SOURCES}${file}`, "utf8")).join("\n");
  expect(Object.keys(english).filter((key) => !all.includes(`"${key}"`))).toEqual([]);
});

test("the check sees words, labels, conditions and sentences, and leaves classes and keys alone", () => {
  const said = (source: string) => literalsIn(`const view = ${source};`);
  expect(said("<p>Hello</p>")).toEqual(["Hello"]);
  expect(said('<p>{isOn ? "On" : t("off")}</p>')).toEqual(["On"]);
  expect(said('<a title={isOn ? "On" : undefined} />')).toEqual(["On"]);
  expect(said(`<a aria-label={\`Star \${name}\`} />`)).toEqual(["Star "]);
  expect(said(`confirm(\`Leave the room \${name}?\`)`)).toEqual(["Leave the room "]);
  expect(said('<p className="row wide">{kind === "day" && <kbd>Ctrl K</kbd>} · 3</p>')).toEqual([]);
  expect(said('() => { throw new Error("no chat above this component"); }')).toEqual([]);
});
