// The layers of docs/ARCHITECTURE.md as a check: imports run downward only, and the deterministic
// packages use no clock, randomness or timers of their own.
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What the sources of each package may import; tests may import anything. */
const LAYERS = {
  "packages/raft": [],
  "packages/protocol": ["@bufbuild/protobuf", "@grpc/grpc-js"],
  "packages/chat": ["@parley/protocol", "node:sqlite"],
  "packages/node": ["@parley/raft", "@parley/chat", "@parley/protocol"],
  "packages/store": ["@parley/raft", "@parley/chat", "@parley/node", "@parley/protocol", "node:*"],
  "packages/client": ["@parley/protocol"],
  "packages/sim": ["@parley/*", "node:*"],
  "apps/parley": ["@parley/*", "node:*", "*"],
  "apps/web": [
    "@parley/client/browser",
    "@parley/client/files",
    "react",
    "react-dom",
    "@tanstack/react-virtual",
    "emojibase-data",
    "frimousse",
    "highlight.js",
    "image-size",
    "lowlight",
    "mdast",
    "mdast-util-from-markdown",
    "mdast-util-gfm-autolink-literal",
    "mdast-util-gfm-strikethrough",
    "mdast-util-gfm-table",
    "mdast-util-gfm-task-list-item",
    "micromark-extension-gfm-autolink-literal",
    "micromark-extension-gfm-strikethrough",
    "micromark-extension-gfm-table",
    "micromark-extension-gfm-task-list-item",
  ],
};

/** Files of the client that adapt it to one platform. */
const CLIENT_ADAPTERS = {
  "packages/client/src/grpc": ["@grpc/grpc-js", "node:*"],
  "packages/client/src/file-outbox": ["node:*"],
  "packages/client/src/browser/": ["idb"],
  "packages/client/src/files": ["@noble/hashes/*"],
};

const DETERMINISTIC = ["packages/raft", "packages/chat", "packages/node"];
const BANNED = [
  [/\bDate\b(?!\w)/, "Date"],
  [/\bMath\.random\b/, "Math.random"],
  [/\bset(Timeout|Interval|Immediate)\b/, "timers"],
  [/\bperformance\b\s*\./, "performance"],
  [/\bprocess\s*\./, "process"],
];
const BANNED_IN_RAFT = [
  [/\basync\s+(?:function|\(|\w+\s*(?:\(|=>))/, "async"],
  [/\bPromise\b/, "Promise"],
  [/\bawait\b/, "await"],
];

/** Static imports and re-exports, bare imports, and import(). */
const IMPORT =
  /^\s*(?:(?:import|export)\b[^;"']*?\bfrom\s+|import\s+)"([^"]+)"|\bimport\(\s*"([^"]+)"/gm;

function matches(rule, specifier) {
  if (rule.endsWith("*")) return specifier.startsWith(rule.slice(0, -1));
  return specifier === rule || specifier.startsWith(`${rule}/`);
}

function withoutComments(text) {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, " "))
    .replace(/(^|[^:"'`])\/\/.*$/gm, "$1");
}

function withoutStrings(text) {
  return text.replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g, '""');
}

const problems = [];
for (const [folder, allowed] of Object.entries(LAYERS)) {
  for (const file of globSync(`${folder}/src/**/*.{ts,tsx}`, { cwd: root })) {
    if (file.includes(".test.") || file.includes(`${sep}generated${sep}`)) continue;
    const code = withoutComments(readFileSync(join(root, file), "utf8"));
    const adapter = Object.entries(CLIENT_ADAPTERS).find(([prefix]) => file.startsWith(prefix));
    const rules = [...allowed, ...(adapter?.[1] ?? [])];
    for (const match of code.matchAll(IMPORT)) {
      const specifier = match[1] ?? match[2];
      if (specifier.startsWith(".")) {
        const target = relative(root, join(root, dirname(file), specifier));
        if (!target.startsWith(folder))
          problems.push(`${file}: leaves its package with ${specifier}`);
        continue;
      }
      if (!rules.some((rule) => matches(rule, specifier))) {
        problems.push(`${file}: may not import ${specifier}`);
      }
    }
    if (!DETERMINISTIC.includes(folder)) continue;
    const bare = withoutStrings(code);
    const banned = folder === "packages/raft" ? [...BANNED, ...BANNED_IN_RAFT] : BANNED;
    for (const [pattern, name] of banned) {
      if (pattern.test(bare)) problems.push(`${file}: uses ${name}; take it through a port`);
    }
  }
}

if (problems.length > 0) {
  console.error(problems.join("\n"));
  console.error(`${problems.length} breaches of the layers; see docs/ARCHITECTURE.md`);
  process.exit(1);
}
console.log("layers: imports run downward");
