// The tables of full-text search in the chat file; what they hold stands in index-table.ts.

/** Letter case and accents do not matter. */
export const TOKENIZER = "unicode61 remove_diacritics 2";

export const SEARCH_OBJECTS = [
  {
    name: "search_index",
    sql: `CREATE VIRTUAL TABLE search_index USING fts5(
        body, tags, content = '', columnsize = 0, tokenize = '${TOKENIZER}'
      );
      INSERT INTO search_index (search_index, rank) VALUES ('secure-delete', 1)`,
  },
  {
    name: "search_changed",
    sql: `CREATE TABLE search_changed (
      id INTEGER PRIMARY KEY,
      body TEXT NOT NULL,
      tags TEXT NOT NULL
    ) STRICT`,
  },
] as const;
