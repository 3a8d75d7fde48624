// Matches texts at hand as the index would, and says where in them: a little index of its own, in the connection's temporary database
// (in memory, also of a connection that may only read), that is filled, asked and emptied.
import { LIMITS, type TextRange } from "@parley/protocol";
import { type ChatDatabase, prepare, prepareArrays, type Statement } from "../database.ts";
import { allArrays } from "../schema.ts";
import { TOKENIZER } from "../search/tables.ts";

export interface Candidate {
  readonly id: number;
  readonly body: string;
  readonly tags: string;
}

/** Around what was matched; characters that Unicode sets aside for such use within a program. */
const OPEN = "\ufdd0";
const CLOSE = "\ufdd1";

interface Statements {
  readonly store: Statement;
  readonly index: Statement;
  readonly matched: Statement;
  readonly clear: Statement;
  readonly unstore: Statement;
}

export class SearchMatcher {
  readonly #db: ChatDatabase;
  #statements: Statements | undefined;

  constructor(db: ChatDatabase) {
    this.#db = db;
    // Texts of messages are not to be left in a temporary file. Not possible within a transaction.
    db.exec("PRAGMA temp_store = MEMORY");
  }

  /** Of the candidates that `expression` matches: what of their bodies it matched, by their ids. */
  match(candidates: readonly Candidate[], expression: string): ReadonlyMap<number, TextRange[]> {
    const found = new Map<number, TextRange[]>();
    if (candidates.length === 0) return found;
    const { store, index, matched, clear, unstore } = this.#prepared();
    try {
      for (const { id, body, tags } of candidates) {
        store.run(id, body, tags);
        index.run(id, body, tags);
      }
      const bodies = new Map(candidates.map(({ id, body }) => [id, body]));
      for (const [id, marked] of allArrays(matched, OPEN, CLOSE, expression)) {
        found.set(id as number, rangesIn(marked as string, bodies.get(id as number) ?? ""));
      }
    } finally {
      clear.run();
      unstore.run();
    }
    return found;
  }

  /** Made when it is first needed: most connections never search. */
  #prepared(): Statements {
    const db = this.#db;
    if (this.#statements !== undefined) return this.#statements;
    db.exec(`CREATE TABLE IF NOT EXISTS temp.search_text (id INTEGER PRIMARY KEY, body TEXT, tags TEXT);
      CREATE VIRTUAL TABLE IF NOT EXISTS temp.search_match USING fts5(
        body, tags, content = 'search_text', content_rowid = 'id', tokenize = '${TOKENIZER}'
      )`);
    this.#statements = {
      store: prepare(db, "INSERT INTO temp.search_text (id, body, tags) VALUES (?, ?, ?)"),
      index: prepare(db, "INSERT INTO temp.search_match (rowid, body, tags) VALUES (?, ?, ?)"),
      matched: prepareArrays(
        db,
        `SELECT rowid, highlight(search_match, 0, ?, ?) FROM temp.search_match
         WHERE search_match MATCH ?`,
      ),
      clear: prepare(db, "INSERT INTO temp.search_match (search_match) VALUES ('delete-all')"),
      unstore: prepare(db, "DELETE FROM temp.search_text"),
    };
    return this.#statements;
  }
}

/** The places between the marks. A text that has such a character itself is shown without any. */
function rangesIn(marked: string, body: string): TextRange[] {
  const ranges: TextRange[] = [];
  if (body.includes(OPEN) || body.includes(CLOSE)) return ranges;
  // So many marks stand before the place in the marked text.
  let marks = 0;
  for (let at = marked.indexOf(OPEN); at !== -1; at = marked.indexOf(OPEN, at + 1)) {
    if (ranges.length === LIMITS.searchRangesMax) break;
    const end = marked.indexOf(CLOSE, at);
    ranges.push({ start: at - marks, end: end - marks - 1 });
    marks += 2;
  }
  return ranges;
}
