// The chat file's tables. Messages are appended in the order of the log (their key is the revision),
// because that is what SQLite is fastest at; the other tables are small and kept in memory.
import { type ChatDatabase, prepareArrays, type Statement } from "./database.ts";
import { FILE_CHUNKS, FILES } from "./file-rows.ts";
import { ADDED_SCALARS, HashSum, RowHasher, type SqlValue } from "./hash.ts";
import { InvariantViolation } from "./invariant.ts";
import {
  ACCOUNTS,
  FOLLOWS,
  INVITES,
  MEMBERS,
  MENTIONS,
  MESSAGES,
  REACTIONS,
  REQUESTS,
  ROOMS,
  SENDERS,
  SESSIONS,
  type TableDefinition,
} from "./rows.ts";
import { SEARCH_OBJECTS } from "./search/tables.ts";
import { STATE_VERSION_FIRST } from "./state-version.ts";

/** Raised when older programs can't work with the tables any more. Added columns are no reason: see ADDED_COLUMNS. */
export const SCHEMA_VERSION = 2;

const SCHEMA = `
CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  schema_version INTEGER NOT NULL,
  applied_index INTEGER NOT NULL,
  applied_term INTEGER NOT NULL,
  stamp_ms INTEGER NOT NULL,
  register_floor TEXT NOT NULL,
  hash_a INTEGER NOT NULL,
  hash_b INTEGER NOT NULL,
  conf_state BLOB,
  -- Over the other values of the row: SQLite would not notice a flipped bit.
  checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE state_hashes (at_index INTEGER PRIMARY KEY, hash TEXT NOT NULL) STRICT;
CREATE TABLE accounts (
  id INTEGER PRIMARY KEY,
  username TEXT NOT NULL,
  username_key TEXT,
  display_name TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  credentials_revision INTEGER NOT NULL,
  owner INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  last_seen_ms INTEGER NOT NULL,
  changed_revision INTEGER NOT NULL,
  request_floor TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX accounts_by_name ON accounts (username_key) WHERE username_key IS NOT NULL;
CREATE INDEX accounts_changed ON accounts (changed_revision) WHERE changed_revision > 0;
CREATE TABLE sessions (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  token_hash TEXT NOT NULL,
  device TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_account ON sessions (account_id);
CREATE TABLE rooms (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  visibility INTEGER NOT NULL,
  topic TEXT NOT NULL,
  last_seq INTEGER NOT NULL,
  last_sent_at_ms INTEGER NOT NULL,
  member_count INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  activity_revision INTEGER NOT NULL,
  info_revision INTEGER NOT NULL,
  direct_low INTEGER NOT NULL,
  direct_high INTEGER NOT NULL
) STRICT;
-- Not UNIQUE: rows are written once per transaction, and two rooms may swap names within one.
CREATE INDEX rooms_directory ON rooms (name_key) WHERE visibility = 1 AND deleted = 0;
CREATE TABLE members (
  room_id INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  role INTEGER NOT NULL,
  joined_revision INTEGER NOT NULL,
  joined_at_ms INTEGER NOT NULL,
  changed_revision INTEGER NOT NULL,
  removal_reason INTEGER NOT NULL,
  removed_by INTEGER NOT NULL,
  banned INTEGER NOT NULL,
  read_seq INTEGER NOT NULL,
  read_revision INTEGER NOT NULL,
  PRIMARY KEY (room_id, account_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_account ON members (account_id, room_id);
CREATE INDEX members_changed ON members (room_id, changed_revision);
CREATE TABLE senders (
  room_id INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  sent_count INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  PRIMARY KEY (room_id, account_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE messages (
  id INTEGER PRIMARY KEY,
  room_id INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  author_id INTEGER NOT NULL,
  client_message_id TEXT NOT NULL,
  body TEXT NOT NULL,
  sent_at_ms INTEGER NOT NULL,
  reply_to_seq INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  changed_revision INTEGER NOT NULL,
  content_hash INTEGER NOT NULL,
  author_seq INTEGER NOT NULL,
  author_prev_seq INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX messages_by_seq ON messages (room_id, seq);
CREATE UNIQUE INDEX messages_by_client_id ON messages (author_id, client_message_id);
-- Every 32nd message of an author: from one of them the author's messages are a chain of links.
CREATE INDEX messages_by_author ON messages (room_id, author_id, seq) WHERE author_seq % 32 = 0;
CREATE INDEX messages_changed ON messages (room_id, changed_revision) WHERE changed_revision > 0;
CREATE INDEX messages_deleted ON messages (room_id, seq, author_id) WHERE deleted = 1;
CREATE TABLE requests (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  recorded_at_ms INTEGER NOT NULL,
  operation TEXT NOT NULL,
  content_hash INTEGER NOT NULL,
  response BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX requests_by_id ON requests (account_id, request_id);
INSERT INTO meta VALUES (1, ${SCHEMA_VERSION}, 0, 0, 0, '', 0, 0, NULL, ${metaChecksum([0, 0, 0, "", 0, 0, null, ...ADDED_SCALARS])});
`;

/**
 * Columns that came after the first tables, and what they hold in the rows that were there. A program that does not know them leaves
 * them alone, so a node may go back to it until the state version rises.
 */
const ADDED_COLUMNS = [
  {
    table: "meta",
    column: "state_version",
    type: `INTEGER NOT NULL DEFAULT ${STATE_VERSION_FIRST}`,
  },
  { table: "meta", column: "registration", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "accounts", column: "link_hash", type: "TEXT NOT NULL DEFAULT ''" },
  { table: "accounts", column: "link_expires_at_ms", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "accounts", column: "blocked", type: "BLOB" },
  { table: "accounts", column: "blocked_revision", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "accounts", column: "reads_hidden", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "messages", column: "version", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "messages", column: "edited_at_ms", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "messages", column: "reactions", type: "BLOB" },
  { table: "messages", column: "pinned_revision", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "messages", column: "mentions", type: "BLOB" },
  { table: "members", column: "starred", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "members", column: "muted", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "members", column: "preference_revision", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "members", column: "write_forbidden_until_ms", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "members", column: "write_forbidden_revision", type: "INTEGER NOT NULL DEFAULT 0" },
  // Where the full-text index stands (SearchPosition); derived, so in no checksum.
  { table: "meta", column: "search_indexed", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "meta", column: "search_followed", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "messages", column: "thread_root_seq", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "messages", column: "thread_seq", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "messages", column: "author_thread_seq", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "messages", column: "replies_so_far", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "messages", column: "author_replies_so_far", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "messages", column: "thread", type: "BLOB" },
  { table: "rooms", column: "reply_count", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "senders", column: "reply_count", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "mentions", column: "thread_root_seq", type: "INTEGER NOT NULL DEFAULT 0" },
  { table: "messages", column: "attachments", type: "BLOB" },
  { table: "files", column: "preview", type: "BLOB" },
] as const;

/** Tables and indexes that came later, likewise: a program that does not know them leaves them empty. */
const ADDED_OBJECTS = [
  {
    name: "reactions",
    sql: `CREATE TABLE reactions (
      id INTEGER PRIMARY KEY,
      message_id INTEGER NOT NULL,
      emoji TEXT NOT NULL,
      account_id INTEGER NOT NULL
    ) STRICT`,
  },
  {
    name: "reactions_by_account",
    sql: "CREATE UNIQUE INDEX reactions_by_account ON reactions (message_id, emoji, account_id)",
  },
  {
    name: "reactions_in_order",
    sql: "CREATE INDEX reactions_in_order ON reactions (message_id, emoji)",
  },
  {
    name: "mentions",
    sql: `CREATE TABLE mentions (
      account_id INTEGER NOT NULL,
      room_id INTEGER NOT NULL,
      seq INTEGER NOT NULL,
      message_id INTEGER NOT NULL,
      PRIMARY KEY (account_id, room_id, seq)
    ) STRICT, WITHOUT ROWID`,
  },
  {
    name: "invites",
    sql: `CREATE TABLE invites (
      id INTEGER PRIMARY KEY,
      room_id INTEGER NOT NULL,
      account_id INTEGER NOT NULL,
      secret_hash TEXT NOT NULL,
      created_at_ms INTEGER NOT NULL,
      expires_at_ms INTEGER NOT NULL,
      uses_max INTEGER NOT NULL,
      use_count INTEGER NOT NULL
    ) STRICT`,
  },
  { name: "invites_by_room", sql: "CREATE INDEX invites_by_room ON invites (room_id)" },
  { name: "invites_by_account", sql: "CREATE INDEX invites_by_account ON invites (account_id)" },
  { name: "invites_by_secret", sql: "CREATE INDEX invites_by_secret ON invites (secret_hash)" },
  {
    name: "messages_pinned",
    sql: "CREATE INDEX messages_pinned ON messages (room_id, pinned_revision) WHERE pinned_revision > 0",
  },
  ...SEARCH_OBJECTS,
  {
    name: "messages_in_thread",
    sql: "CREATE INDEX messages_in_thread ON messages (room_id, thread_root_seq, seq) WHERE thread_root_seq > 0",
  },
  {
    name: "messages_in_thread_by_author",
    sql: `CREATE INDEX messages_in_thread_by_author ON messages (room_id, thread_root_seq, author_id, seq)
      WHERE thread_root_seq > 0`,
  },
  {
    name: "messages_deleted_in_thread",
    sql: `CREATE INDEX messages_deleted_in_thread ON messages (room_id, thread_root_seq, seq, author_id)
      WHERE thread_root_seq > 0 AND deleted = 1`,
  },
  {
    name: "mentions_in_thread",
    sql: `CREATE INDEX mentions_in_thread ON mentions (account_id, room_id, thread_root_seq, seq)
      WHERE thread_root_seq > 0`,
  },
  {
    name: "follows",
    sql: `CREATE TABLE follows (
      account_id INTEGER NOT NULL,
      room_id INTEGER NOT NULL,
      thread_root_seq INTEGER NOT NULL,
      following INTEGER NOT NULL,
      read_seq INTEGER NOT NULL,
      changed_revision INTEGER NOT NULL,
      PRIMARY KEY (account_id, room_id, thread_root_seq)
    ) STRICT, WITHOUT ROWID`,
  },
  {
    name: "files",
    sql: `CREATE TABLE files (
      id INTEGER PRIMARY KEY,
      account_id INTEGER NOT NULL,
      client_file_id TEXT NOT NULL,
      name TEXT NOT NULL,
      size INTEGER NOT NULL,
      sha256 BLOB NOT NULL,
      created_at_ms INTEGER NOT NULL,
      received INTEGER NOT NULL,
      room_id INTEGER NOT NULL,
      message_id INTEGER NOT NULL,
      dropped INTEGER NOT NULL
    ) STRICT`,
  },
  {
    name: "files_by_client_id",
    sql: "CREATE UNIQUE INDEX files_by_client_id ON files (account_id, client_file_id)",
  },
  {
    name: "files_of_message",
    sql: "CREATE INDEX files_of_message ON files (room_id, message_id) WHERE message_id > 0",
  },
  {
    name: "files_unsent",
    sql: "CREATE INDEX files_unsent ON files (account_id, id) WHERE message_id = 0 AND dropped = 0",
  },
  { name: "files_dropped", sql: "CREATE INDEX files_dropped ON files (id) WHERE dropped = 1" },
  {
    name: "file_chunks",
    sql: `CREATE TABLE file_chunks (
      id INTEGER PRIMARY KEY,
      file_id INTEGER NOT NULL,
      at INTEGER NOT NULL,
      data BLOB NOT NULL
    ) STRICT`,
  },
  {
    name: "file_chunks_in_order",
    sql: "CREATE UNIQUE INDEX file_chunks_in_order ON file_chunks (file_id, at)",
  },
  {
    name: "follows_changed",
    sql: "CREATE INDEX follows_changed ON follows (account_id, changed_revision, room_id, thread_root_seq)",
  },
  {
    name: "follows_live",
    sql: "CREATE INDEX follows_live ON follows (account_id, room_id, thread_root_seq) WHERE following = 1",
  },
  {
    name: "follows_oldest",
    sql: "CREATE INDEX follows_oldest ON follows (account_id, changed_revision, room_id, thread_root_seq) WHERE following = 1",
  },
] as const;

/**
 * Of a meta row: applied index and term, stamp, register floor, both lanes of the hash, configuration, state version, registration
 * mode. A safe integer.
 */
export function metaChecksum(values: readonly SqlValue[]): number {
  const hasher = new RowHasher();
  hasher.hash(0, values, ADDED_SCALARS);
  return (hasher.a >>> 0) * 2 ** 20 + (hasher.b >>> 12);
}

/** The tables whose rows the state hash sums up. */
export const REPLICATED_TABLES: readonly Pick<
  TableDefinition<unknown>,
  "tag" | "name" | "columns" | "added"
>[] = [
  ACCOUNTS,
  SESSIONS,
  ROOMS,
  MEMBERS,
  SENDERS,
  MESSAGES,
  REQUESTS,
  REACTIONS,
  MENTIONS,
  FOLLOWS,
  INVITES,
  FILES,
  FILE_CHUNKS,
];

/** Creates the tables in an empty database, or adds what they lack; throws when they are of another version. */
export function openSchema(db: ChatDatabase): void {
  const tables = db.prepare("SELECT count(*) AS n FROM sqlite_schema").get() as { n: number };
  if (tables.n === 0) {
    db.exec(`BEGIN IMMEDIATE; ${SCHEMA} ${added(db)} COMMIT;`);
    return;
  }
  const meta = db.prepare("SELECT name FROM sqlite_schema WHERE name = 'meta'").get();
  if (meta === undefined) throw new InvariantViolation("the chat file holds something else");
  const { version } = db.prepare("SELECT schema_version AS version FROM meta").get() as {
    version: number;
  };
  if (version !== SCHEMA_VERSION) {
    throw new InvariantViolation(
      `the chat file has schema version ${version}, this program knows ${SCHEMA_VERSION}`,
    );
  }
  const missing = added(db);
  if (missing !== "") db.exec(`BEGIN IMMEDIATE; ${missing} COMMIT;`);
}

/** Adds what the file does not have: tables, then columns of theirs too, then indexes over both. */
function added(db: ChatDatabase): string {
  const findColumn = prepareArrays(db, "SELECT 1 FROM pragma_table_info(?) WHERE name = ?");
  const findObject = prepareArrays(db, "SELECT 1 FROM sqlite_schema WHERE name = ?");
  const columns = ADDED_COLUMNS.filter(
    ({ table, column }) => firstArray(findColumn, table, column) === undefined,
  ).map(({ table, column, type }) => `ALTER TABLE ${table} ADD COLUMN ${column} ${type};`);
  const objects = ADDED_OBJECTS.filter(
    ({ name }) => firstArray(findObject, name) === undefined,
  ).map(({ sql }) => `${sql};`);
  const tables = objects.filter((sql) => sql.startsWith("CREATE TABLE"));
  const indexes = objects.filter((sql) => !sql.startsWith("CREATE TABLE"));
  return [...tables, ...columns, ...indexes].join(" ");
}

/** Columns as a list for a statement, each optionally prefixed by an alias. */
export function columnsOf(table: { readonly columns: readonly string[] }, alias = ""): string {
  const prefix = alias === "" ? "" : `${alias}.`;
  return table.columns.map((column) => prefix + column).join(", ");
}

/** All rows of a statement made by prepareArrays. */
export function allArrays(statement: Statement, ...values: SqlValue[]): SqlValue[][] {
  return statement.all(...values) as unknown as SqlValue[][];
}

/** The first row of a statement made by prepareArrays. */
export function firstArray(statement: Statement, ...values: SqlValue[]): SqlValue[] | undefined {
  return statement.get(...values) as unknown as SqlValue[] | undefined;
}

/** What the state hash covers beside the rows, in the order of ChatState.digest. */
const HASHED_SCALARS =
  "stamp_ms, register_floor, applied_index, applied_term, state_version, registration";

/** The state hash as apply keeps it, of the state that `db` reads. */
export function keptStateHash(db: ChatDatabase): string {
  const [a, b, ...scalars] = firstArray(
    prepareArrays(db, `SELECT hash_a, hash_b, ${HASHED_SCALARS} FROM meta`),
  ) as SqlValue[];
  return new HashSum(a as number, b as number).digest(new RowHasher(), scalars);
}

/** The state hash from the tables, whole: what verification compares with the running one. */
export function recomputeStateHash(db: ChatDatabase): string {
  const sum = new HashSum();
  const hasher = new RowHasher();
  for (const table of REPLICATED_TABLES) {
    const rows = prepareArrays(db, `SELECT ${columnsOf(table)} FROM ${table.name}`);
    for (const row of rows.iterate()) {
      hasher.hash(table.tag, row as unknown as SqlValue[], table.added);
      sum.add(hasher.a, hasher.b);
    }
  }
  const scalars = firstArray(prepareArrays(db, `SELECT ${HASHED_SCALARS} FROM meta`)) as SqlValue[];
  return sum.digest(hasher, scalars);
}
