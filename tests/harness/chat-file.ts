// A node's chat file, looked at and damaged from outside.
import { closeSync, openSync, readdirSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** The current chat file of the node with this `db_path`. */
export function chatFileOf(dbPath: string): string {
  const prefix = `${basename(dbPath)}-chat-`;
  const names = readdirSync(dirname(dbPath)).filter(
    (name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)),
  );
  const newest = names.sort().at(-1);
  if (newest === undefined) throw new Error(`${dbPath} has no chat file`);
  return join(dirname(dbPath), newest);
}

/** Changes a row behind the node's back, whether it runs or not; `sql` must change exactly one. */
export function changeOneRow(dbPath: string, sql: string, ...values: (string | number)[]): void {
  const db = new DatabaseSync(chatFileOf(dbPath), { timeout: 10_000 });
  try {
    const { changes } = db.prepare(sql).run(...values);
    if (changes !== 1) throw new Error(`${sql} changed ${changes} rows`);
  } finally {
    db.close();
  }
}

/** Makes the bytes of one page of messages, in the middle of them, meaningless. */
export function damageMessagesPage(dbPath: string): void {
  const path = chatFileOf(dbPath);
  const db = new DatabaseSync(path, { timeout: 10_000 });
  let pages: number[];
  try {
    // What is in the WAL would be read instead of the page.
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    pages = db
      .prepare("SELECT pageno FROM dbstat WHERE name = 'messages' AND pagetype = 'leaf'")
      .all()
      .map(({ pageno }) => Number(pageno));
  } finally {
    db.close();
  }
  const page = pages[pages.length >> 1];
  if (page === undefined || pages.length < 10) throw new Error("there are too few messages");
  const bytes = new Uint8Array(4_096).fill(0xa5);
  const fd = openSync(path, "r+");
  writeSync(fd, bytes, 0, bytes.length, (page - 1) * bytes.length);
  closeSync(fd);
}
