// Generates packages/protocol/src/generated from proto/ with buf and ts-proto, if the contract still keeps
// what the last release promised to clients and to nodes of that release (rolling upgrades).
// `--check` compares instead, and fails when the committed code is not current.
// `--release` makes the contract as it stands the one that later changes must keep.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const target = join(root, "packages/protocol/src/generated");
const buf = join(root, "node_modules/.bin/buf");
/** The contract of the last release, as buf compiled it: no network and no history is needed to compare. */
const RELEASED = "proto/released.binpb";

/** `hint`: what to do when it fails. */
function run(args, hint) {
  const result = spawnSync(buf, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (result.status === 0) return;
  if (hint !== undefined) console.error(hint);
  process.exit(result.status ?? 1);
}

function filesOf(folder) {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true });
  return new Map(
    names
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(folder.length), readFileSync(path, "utf8")]),
  );
}

const WIRE = 'import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";\n';
const UINT64 = 'import { readUint64, writeUint64 } from "../../../uint64.ts";\n';

/** 64-bit numbers go through packages/protocol/src/uint64.ts instead of BigInt and text. */
function withOwnUint64(source) {
  if (!source.includes("longToNumber")) return source;
  return source
    .replace(WIRE, WIRE + UINT64)
    .replaceAll("longToNumber(reader.uint64())", "readUint64(reader)")
    .replaceAll(/writer(\.uint32\(\d+\))?\.uint64\(([^()]+)\);/g, "writeUint64(writer$1, $2);")
    .replace(/function longToNumber[\s\S]*?\n\}\n\n/, "");
}

function amend(folder) {
  for (const [name, source] of filesOf(folder)) {
    writeFileSync(join(folder, name), withOwnUint64(source));
  }
}

run(["lint"]);
if (process.argv.includes("--release")) {
  run(["build", "--exclude-source-info", "-o", RELEASED]);
}
run(
  ["breaking", "--against", RELEASED],
  "This breaks clients and nodes of the last release. Add fields instead of changing them; what is not " +
    "released yet may change: npm run generate -- --release",
);
if (process.argv.includes("--check")) {
  const scratch = mkdtempSync(join(tmpdir(), "parley-generate-"));
  try {
    const template = readFileSync(join(root, "buf.gen.yaml"), "utf8").replace(
      "packages/protocol/src/generated",
      scratch,
    );
    const templatePath = join(scratch, "..", `${scratch.split("/").pop()}.gen.yaml`);
    writeFileSync(templatePath, template);
    run(["generate", "--template", templatePath]);
    rmSync(templatePath);
    amend(scratch);
    const committed = filesOf(target);
    const current = filesOf(scratch);
    const stale = [...new Set([...committed.keys(), ...current.keys()])].filter(
      (name) => committed.get(name) !== current.get(name),
    );
    if (stale.length > 0) {
      console.error(`Generated code is not current: ${stale.join(", ")}. Run: npm run generate`);
      process.exit(1);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
} else {
  run(["generate"]);
  amend(target);
}
