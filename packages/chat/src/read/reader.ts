// Reads, each from one consistent state: rows and the revision that they belong to come out of one
// read transaction. Runs beside apply, on a connection of its own.
import {
  DownloadRequest,
  GetAccountRequest,
  HistoryRequest,
  ListAccountsRequest,
  ListInvitesRequest,
  ListMembersRequest,
  ListPinsRequest,
  ListRoomsRequest,
  ParleyError,
  SearchRequest,
  ThreadRequest,
} from "@parley/protocol";
import { type ChatDatabase, prepare, type Statement } from "../database.ts";
import { keptStateHash, recomputeStateHash } from "../schema.ts";
import type { ChatAnswer, ChatQuery } from "../types.ts";
import { AccountReads } from "./accounts.ts";
import { CatchUpReads } from "./catch-up.ts";
import { FileReads } from "./files.ts";
import { HistoryReads } from "./history.ts";
import { InviteReads } from "./invites.ts";
import { RoomReads } from "./rooms.ts";
import { RowSource } from "./rows-of.ts";
import { SearchReads } from "./search.ts";
import { UnreadReads } from "./unread.ts";

type OperationQuery = Extract<ChatQuery, { kind: "operation" }>;

export class ChatReader {
  readonly #db: ChatDatabase;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #rows: RowSource;
  readonly #accounts: AccountReads;
  readonly #invites: InviteReads;
  readonly #rooms: RoomReads;
  readonly #history: HistoryReads;
  readonly #search: SearchReads;
  readonly #unread: UnreadReads;
  readonly #catchUp: CatchUpReads;
  readonly #files: FileReads;

  /** `db`: a connection (read-only is enough) to a file that a ChatMachine has opened before. */
  constructor(db: ChatDatabase) {
    this.#db = db;
    this.#begin = prepare(db, "BEGIN");
    this.#commit = prepare(db, "COMMIT");
    this.#rows = new RowSource(db);
    this.#accounts = new AccountReads(db, this.#rows);
    this.#search = new SearchReads(db, this.#rows);
    this.#unread = new UnreadReads(db);
    this.#history = new HistoryReads(db, this.#rows, this.#unread);
    this.#invites = new InviteReads(db, this.#rows);
    this.#rooms = new RoomReads(db, this.#rows, this.#unread);
    this.#files = new FileReads(db, this.#rows);
    this.#catchUp = new CatchUpReads(db, this.#rows, this.#unread);
  }

  /**
   * Answers a query; what is wrong with it is a `refused` answer. Throws only what SQLite throws.
   * Left for the node to fill in: `staleMs` (0 here), `Account.online` (false here), and who may register where the owner has not
   * chosen.
   */
  read(query: ChatQuery): ChatAnswer {
    this.#begin.run();
    try {
      const revision = this.#rows.appliedIndex();
      try {
        return this.#answer(query, revision);
      } catch (cause) {
        if (!(cause instanceof ParleyError)) throw cause;
        return { kind: "refused", revision, error: cause.toWire() };
      }
    } finally {
      this.#commit.run();
    }
  }

  #answer(query: ChatQuery, revision: number): ChatAnswer {
    switch (query.kind) {
      case "operation":
        return { kind: "response", revision, response: this.#operation(query, revision) };
      case "credentials": {
        const account = this.#rows.accountByKey(query.usernameKey);
        return {
          kind: "credentials",
          revision,
          accountId: account?.id ?? 0,
          passwordHash: account?.passwordHash ?? "",
          credentialsRevision: account?.credentialsRevision ?? 0,
        };
      }
      case "catch-up": {
        const { accountId, afterRevision, bytesMax } = query;
        const page = this.#catchUp.page(accountId, afterRevision, revision, bytesMax);
        return { kind: "page", revision, ...page };
      }
      case "catch-up-count": {
        const { accountId, afterRevision, countMax } = query;
        const count = this.#catchUp.count(accountId, afterRevision, countMax);
        return { kind: "count", revision, count };
      }
      case "unread":
        return {
          kind: "response",
          revision,
          response: this.#unread.unread(query.accountId, revision),
        };
      case "registration":
        return {
          kind: "response",
          revision,
          response: this.#invites.registration(query.inviteHash, revision),
        };
      case "recompute-hash":
        return {
          kind: "hash",
          revision,
          hash: recomputeStateHash(this.#db),
          keptHash: keptStateHash(this.#db),
        };
    }
  }

  #operation(query: OperationQuery, revision: number): Uint8Array {
    const { operation, accountId, sessionId } = query;
    const account = this.#rows.account(accountId);
    if (account === undefined || account.deleted) {
      throw new ParleyError("UNAUTHENTICATED", "The account does not exist.");
    }
    switch (operation) {
      case "listSessions":
        return this.#accounts.sessions(accountId, sessionId, revision);
      case "listAccounts":
        return this.#accounts.list(decode(ListAccountsRequest, query.request), revision);
      case "getAccount":
        return this.#accounts.get(decode(GetAccountRequest, query.request), accountId, revision);
      case "listRooms":
        return this.#rooms.list(decode(ListRoomsRequest, query.request), accountId, revision);
      case "listBlocked":
        return this.#accounts.blocked(account, revision);
      case "listInvites":
        return this.#invites.list(decode(ListInvitesRequest, query.request), account, revision);
      case "listMembers":
        return this.#rooms.members(decode(ListMembersRequest, query.request), accountId, revision);
      case "history":
        return this.#history.history(decode(HistoryRequest, query.request), accountId, revision);
      case "thread":
        return this.#history.thread(decode(ThreadRequest, query.request), accountId, revision);
      case "listPins":
        return this.#history.pins(decode(ListPinsRequest, query.request), accountId, revision);
      case "download":
        return this.#files.download(decode(DownloadRequest, query.request), accountId, revision);
      case "search":
        return this.#search.search(decode(SearchRequest, query.request), accountId, revision);
      case "unread":
        return this.#unread.unread(accountId, revision);
      default:
        throw new ParleyError("UNKNOWN_OPERATION", `There is no read ${operation.slice(0, 64)}.`);
    }
  }
}

function decode<T>(codec: { decode(input: Uint8Array): T }, bytes: Uint8Array): T {
  try {
    return codec.decode(bytes);
  } catch {
    throw new ParleyError("MALFORMED", "The request is not readable.");
  }
}
