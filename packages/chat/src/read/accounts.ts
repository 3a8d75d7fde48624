// Reads about accounts and sessions.
import {
  type GetAccountRequest,
  GetAccountResponse,
  LIMITS,
  type ListAccountsRequest,
  ListAccountsResponse,
  ListBlockedResponse,
  ListSessionsResponse,
  ParleyError,
} from "@parley/protocol";
import { type ChatDatabase, prepareArrays, type Statement } from "../database.ts";
import { BYTES_OF_ACCOUNT } from "../file-table.ts";
import { matchesGlob } from "../glob.ts";
import { ACCOUNTS, type AccountRow, blockedIds } from "../rows.ts";
import { allArrays, columnsOf, firstArray } from "../schema.ts";
import { normaliseUsername } from "../text.ts";
import { accountView } from "../views.ts";
import { boundedPattern, pageSize, pageToken, positionOf } from "./paging.ts";
import type { RowSource } from "./rows-of.ts";

/** Names looked at for one page at the most; a page then ends early, with a token to go on. */
const SCANNED_MAX = 20_000;
const CHUNK = 500;

export class AccountReads {
  readonly #rows: RowSource;
  readonly #byName: Statement;
  readonly #fileBytes: Statement;

  constructor(db: ChatDatabase, rows: RowSource) {
    this.#rows = rows;
    this.#byName = prepareArrays(
      db,
      `SELECT ${columnsOf(ACCOUNTS)} FROM accounts
       WHERE username_key > ? ORDER BY username_key LIMIT ?`,
    );
    this.#fileBytes = prepareArrays(db, BYTES_OF_ACCOUNT);
  }

  /** Whom the account has blocked; bounded by how many there may be. */
  blocked(account: AccountRow, revision: number): Uint8Array {
    const accounts = blockedIds(account)
      .map((id) => this.#rows.account(id))
      .filter((row) => row !== undefined);
    const list = { accounts: accounts.map(accountView), revision, staleMs: 0 };
    return ListBlockedResponse.encode(list).finish();
  }

  /** By username, a page at a time; deleted accounts have none. */
  list(request: ListAccountsRequest, revision: number): Uint8Array {
    const size = pageSize(request.pageSize, LIMITS.accountsPageDefault, LIMITS.accountsPageMax);
    const pattern = normaliseUsername(boundedPattern(request.pattern));
    const found: AccountRow[] = [];
    const list = ["accounts", pattern];
    let after = positionOf(list, request.pageToken);
    let isMore = true;
    for (let scanned = 0; isMore && found.length < size && scanned < SCANNED_MAX; ) {
      const chunk = allArrays(this.#byName, after, CHUNK);
      isMore = chunk.length === CHUNK;
      for (const [i, values] of chunk.entries()) {
        const account = ACCOUNTS.row(values);
        after = account.usernameKey ?? after;
        scanned += 1;
        if (pattern !== "" && !matchesGlob(pattern, after)) continue;
        found.push(account);
        if (found.length < size) continue;
        isMore = isMore || i < chunk.length - 1;
        break;
      }
    }
    return ListAccountsResponse.encode({
      accounts: found.map(accountView),
      nextPageToken: isMore ? pageToken(list, after) : "",
      revision,
      staleMs: 0,
    }).finish();
  }

  /** By id, by username, or oneself. An id also finds a deleted account, under its last name. */
  get(request: GetAccountRequest, accountId: number, revision: number): Uint8Array {
    let account: AccountRow | undefined;
    if (request.accountId !== 0) account = this.#rows.account(request.accountId);
    else if (request.username === "") account = this.#rows.account(accountId);
    else if (request.username.length <= LIMITS.usernameBytesMax) {
      account = this.#rows.accountByKey(normaliseUsername(request.username));
    }
    if (account === undefined) {
      throw new ParleyError("ACCOUNT_NOT_FOUND", "There is no such account.");
    }
    return GetAccountResponse.encode({
      account: accountView(account),
      revision,
      staleMs: 0,
      // What others keep is nobody's business.
      fileBytes:
        account.id === accountId ? (firstArray(this.#fileBytes, accountId)?.[0] as number) : 0,
    }).finish();
  }

  sessions(accountId: number, sessionId: number, revision: number): Uint8Array {
    const sessions = this.#rows.sessions(accountId).map((session) => ({
      id: session.id,
      device: session.device,
      createdAtMs: session.createdAtMs,
      expiresAtMs: session.expiresAtMs,
      current: session.id === sessionId,
    }));
    return ListSessionsResponse.encode({ sessions, revision, staleMs: 0 }).finish();
  }
}
