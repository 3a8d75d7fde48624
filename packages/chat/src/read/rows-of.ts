// Single rows by their keys, for the reads.
import { type ChatDatabase, prepareArrays, type Statement } from "../database.ts";
import {
  ACCOUNTS,
  type AccountRow,
  MEMBERS,
  type MemberRow,
  ROOMS,
  type RoomRow,
  SESSIONS,
  type SessionRow,
} from "../rows.ts";
import { allArrays, columnsOf, firstArray } from "../schema.ts";

export class RowSource {
  readonly #appliedIndex: Statement;
  readonly #account: Statement;
  readonly #accountByKey: Statement;
  readonly #room: Statement;
  readonly #member: Statement;
  readonly #sessions: Statement;

  constructor(db: ChatDatabase) {
    this.#appliedIndex = prepareArrays(db, "SELECT applied_index FROM meta");
    const accounts = `SELECT ${columnsOf(ACCOUNTS)} FROM accounts`;
    this.#account = prepareArrays(db, `${accounts} WHERE id = ?`);
    this.#accountByKey = prepareArrays(db, `${accounts} WHERE username_key = ?`);
    this.#room = prepareArrays(db, `SELECT ${columnsOf(ROOMS)} FROM rooms WHERE id = ?`);
    this.#member = prepareArrays(
      db,
      `SELECT ${columnsOf(MEMBERS)} FROM members WHERE room_id = ? AND account_id = ?`,
    );
    this.#sessions = prepareArrays(
      db,
      `SELECT ${columnsOf(SESSIONS)} FROM sessions WHERE account_id = ? ORDER BY id`,
    );
  }

  appliedIndex(): number {
    return (firstArray(this.#appliedIndex)?.[0] as number | undefined) ?? 0;
  }

  account(id: number): AccountRow | undefined {
    const values = firstArray(this.#account, id);
    return values === undefined ? undefined : ACCOUNTS.row(values);
  }

  accountByKey(usernameKey: string): AccountRow | undefined {
    const values = firstArray(this.#accountByKey, usernameKey);
    return values === undefined ? undefined : ACCOUNTS.row(values);
  }

  room(id: number): RoomRow | undefined {
    const values = firstArray(this.#room, id);
    return values === undefined ? undefined : ROOMS.row(values);
  }

  /** Also of a former member. */
  member(roomId: number, accountId: number): MemberRow | undefined {
    const values = firstArray(this.#member, roomId, accountId);
    return values === undefined ? undefined : MEMBERS.row(values);
  }

  sessions(accountId: number): SessionRow[] {
    return allArrays(this.#sessions, accountId).map((values) => SESSIONS.row(values));
  }
}
