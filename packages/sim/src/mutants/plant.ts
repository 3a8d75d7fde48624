// Puts a planted bug into this process: every file that is loaded from now on is patched on its way
// from the disk to the compiler. Must run before anything of the system under test is imported.
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import type { Edit, Mutant } from "./mutant.ts";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));

/** The patched text. Throws when the search text does not stand exactly once in `source`. */
export function patched(source: string, edits: readonly Edit[]): string {
  let text = source;
  for (const { file, search, replacement } of edits) {
    const at = text.indexOf(search);
    if (at < 0) throw new Error(`${file} does not have the text that is to be patched:\n${search}`);
    if (text.indexOf(search, at + 1) >= 0) {
      throw new Error(`${file} has the text that is to be patched more than once:\n${search}`);
    }
    text = text.slice(0, at) + replacement + text.slice(at + search.length);
  }
  return text;
}

/** Throws when a patch of the mutant does not fit the sources of today. */
export function checkFits(mutant: Mutant): void {
  for (const [file, edits] of editsByFile(mutant)) {
    patched(readFileSync(ROOT + file, "utf8"), edits);
  }
}

/** Returns a function that throws unless every patched file has been loaded since. */
export function plant(mutant: Mutant): () => void {
  checkFits(mutant);
  const missing = new Map<string, readonly Edit[]>();
  for (const [file, edits] of editsByFile(mutant)) missing.set(ROOT + file, edits);
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.startsWith("file:")) return loaded;
      const path = fileURLToPath(url);
      const edits = missing.get(path);
      if (edits === undefined) return loaded;
      missing.delete(path);
      return { ...loaded, source: patched(readFileSync(path, "utf8"), edits) };
    },
  });
  return () => {
    const [path] = missing.keys();
    if (path !== undefined) throw new Error(`${mutant.name}: ${path} was never loaded`);
  };
}

function editsByFile(mutant: Mutant): Map<string, Edit[]> {
  const files = new Map<string, Edit[]>();
  for (const edit of mutant.edits) {
    const others = files.get(edit.file);
    if (others === undefined) files.set(edit.file, [edit]);
    else others.push(edit);
  }
  return files;
}
