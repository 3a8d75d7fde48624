// The state that commands work on: accounts, sessions, rooms and members in memory, written through
// their tables; messages and remembered requests by statements of their own. Lookups here are the
// "explicit checks" of apply: no constraint of SQLite is ever relied on to refuse anything.
import { BlockList } from "@parley/protocol";
import { CachedTable } from "./cached-table.ts";
import type { ChatDatabase } from "./database.ts";
import { FileTable } from "./file-table.ts";
import { FollowTable } from "./follow-table.ts";
import { HashSum, RowHasher } from "./hash.ts";
import { skeletonOf } from "./look-alikes.ts";
import { MentionTable } from "./mention-table.ts";
import { MessageTable } from "./message-table.ts";
import { ReactionTable } from "./reaction-table.ts";
import { RequestTable } from "./request-table.ts";
import {
  ACCOUNTS,
  type AccountRow,
  blockedIds,
  type FollowRow,
  INVITES,
  type InviteRow,
  MEMBERS,
  type MemberRow,
  ROOMS,
  type RoomRow,
  SENDERS,
  SESSIONS,
  type SenderRow,
  type SessionRow,
} from "./rows.ts";
import type { SearchIndex } from "./search/index-table.ts";
import { type Counts, UnreadCounts } from "./unread-counts.ts";

const NO_MEMBERS: ReadonlyMap<number, MemberRow> = new Map();
const NO_IDS: ReadonlySet<number> = new Set();
const NO_INVITES: ReadonlySet<InviteRow> = new Set();

function addTo<V>(sets: Map<number, Set<V>>, key: number, value: V): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

export class ChatState {
  readonly hasher = new RowHasher();
  readonly sum: HashSum;
  readonly messages: MessageTable;
  readonly reactions: ReactionTable;
  readonly mentions: MentionTable;
  readonly follows: FollowTable;
  readonly files: FileTable;
  readonly requests: RequestTable;
  /** Replicated time: the newest stamp applied, milliseconds since the Unix epoch. */
  stampMs: number;
  /** As AccountRow.requestFloor, for Register. */
  registerFloor: string;
  /** Which commands may follow; see state-version.ts. */
  stateVersion: number;
  /** A RegistrationMode; 0 = the owner has not chosen one. */
  registration: number;

  readonly #counts: UnreadCounts;
  readonly #accountTable: CachedTable<AccountRow>;
  readonly #sessionTable: CachedTable<SessionRow>;
  readonly #roomTable: CachedTable<RoomRow>;
  readonly #memberTable: CachedTable<MemberRow>;
  readonly #senderTable: CachedTable<SenderRow>;
  readonly #inviteTable: CachedTable<InviteRow>;
  readonly #invites = new Map<number, InviteRow>();
  readonly #inviteBySecret = new Map<string, InviteRow>();
  readonly #invitesByAccount = new Map<number, Set<InviteRow>>();
  readonly #invitesByRoom = new Map<number, Set<InviteRow>>();
  readonly #accounts = new Map<number, AccountRow>();
  readonly #accountIdByKey = new Map<string, number>();
  /** By how they look, how many usernames there are: from before state version 16 there may be several. */
  readonly #skeletons = new Map<string, number>();
  /** By who has blocked them. */
  readonly #blocked = new Map<number, ReadonlySet<number>>();
  readonly #accountIdByLink = new Map<string, number>();
  readonly #sessions = new Map<number, SessionRow>();
  readonly #sessionIdByToken = new Map<string, number>();
  readonly #sessionIdsByAccount = new Map<number, Set<number>>();
  readonly #rooms = new Map<number, RoomRow>();
  readonly #publicRoomIdByKey = new Map<string, number>();
  readonly #directRoomIdByPair = new Map<string, number>();
  /** Former members too: a row stays. */
  readonly #members = new Map<number, Map<number, MemberRow>>();
  readonly #senders = new Map<number, Map<number, SenderRow>>();
  /** Rooms of current membership only. */
  readonly #roomIdsByAccount = new Map<number, Set<number>>();
  #liveAccounts = 0;
  #instanceOwnerId = 0;

  constructor(
    db: ChatDatabase,
    meta: {
      readonly stampMs: number;
      readonly registerFloor: string;
      readonly stateVersion: number;
      readonly registration: number;
      readonly hashA: number;
      readonly hashB: number;
    },
    search: SearchIndex,
  ) {
    this.stampMs = meta.stampMs;
    this.registerFloor = meta.registerFloor;
    this.stateVersion = meta.stateVersion;
    this.registration = meta.registration;
    this.sum = new HashSum(meta.hashA, meta.hashB);
    this.messages = new MessageTable(db, this.sum, this.hasher, search);
    this.mentions = new MentionTable(db, this.sum, this.hasher);
    this.follows = new FollowTable(db, this.sum, this.hasher);
    this.files = new FileTable(db, this.sum, this.hasher);
    this.#counts = new UnreadCounts(db);
    this.reactions = new ReactionTable(db, this.sum, this.hasher);
    this.requests = new RequestTable(db, this.sum, this.hasher);
    this.#accountTable = new CachedTable(db, ACCOUNTS);
    this.#sessionTable = new CachedTable(db, SESSIONS);
    this.#roomTable = new CachedTable(db, ROOMS);
    this.#memberTable = new CachedTable(db, MEMBERS);
    this.#senderTable = new CachedTable(db, SENDERS);
    this.#inviteTable = new CachedTable(db, INVITES);
    for (const invite of this.#inviteTable.load(this.hasher)) this.#indexInvite(invite);
    for (const account of this.#accountTable.load(this.hasher)) this.#indexAccount(account);
    for (const session of this.#sessionTable.load(this.hasher)) this.#indexSession(session);
    for (const room of this.#roomTable.load(this.hasher)) this.#indexRoom(room);
    for (const member of this.#memberTable.load(this.hasher)) this.#indexMember(member);
    for (const sender of this.#senderTable.load(this.hasher)) this.#indexSender(sender);
  }

  /** Writes what changed since the last flush and folds it into the hash. */
  flush(): void {
    this.#accountTable.flush(this.sum, this.hasher);
    this.#sessionTable.flush(this.sum, this.hasher);
    this.#roomTable.flush(this.sum, this.hasher);
    this.#memberTable.flush(this.sum, this.hasher);
    this.#senderTable.flush(this.sum, this.hasher);
    this.#inviteTable.flush(this.sum, this.hasher);
  }

  /** The state hash as of the given entry; everything must be flushed. */
  digest(appliedIndex: number, appliedTerm: number): string {
    const { stampMs, registerFloor, stateVersion, registration } = this;
    const scalars = [stampMs, registerFloor, appliedIndex, appliedTerm, stateVersion, registration];
    return this.sum.digest(this.hasher, scalars);
  }

  // ---- Accounts

  account(id: number): AccountRow | undefined {
    return this.#accounts.get(id);
  }

  /** The account, unless it does not exist or is deleted. */
  liveAccount(id: number): AccountRow | undefined {
    const account = this.#accounts.get(id);
    return account?.deleted === false ? account : undefined;
  }

  accountIdByKey(usernameKey: string): number | undefined {
    return this.#accountIdByKey.get(usernameKey);
  }

  /** The account whose password the link with this hash sets. */
  accountByLink(linkHash: string): AccountRow | undefined {
    const id = this.#accountIdByLink.get(linkHash);
    return id === undefined ? undefined : this.liveAccount(id);
  }

  /** Whether somebody has a username that looks like this one. */
  hasLookAlike(username: string): boolean {
    return this.#skeletons.has(skeletonOf(username));
  }

  #countSkeleton(username: string, step: 1 | -1): void {
    const skeleton = skeletonOf(username);
    const count = (this.#skeletons.get(skeleton) ?? 0) + step;
    if (count > 0) this.#skeletons.set(skeleton, count);
    else this.#skeletons.delete(skeleton);
  }

  /** Whom an account has blocked. */
  blockedBy(accountId: number): ReadonlySet<number> {
    return this.#blocked.get(accountId) ?? NO_IDS;
  }

  setBlocked(account: AccountRow, accountIds: readonly number[], revision: number): void {
    account.blocked =
      accountIds.length === 0 ? null : BlockList.encode({ accountIds: [...accountIds] }).finish();
    account.blockedRevision = revision;
    this.#blocked.set(account.id, new Set(accountIds));
    this.#accountTable.touch(account);
  }

  /** An empty hash: it has no link any more. */
  setLink(account: AccountRow, linkHash: string, expiresAtMs: number): void {
    if (account.linkHash === linkHash) return;
    this.#accountIdByLink.delete(account.linkHash);
    account.linkHash = linkHash;
    account.linkExpiresAtMs = expiresAtMs;
    if (linkHash !== "") this.#accountIdByLink.set(linkHash, account.id);
    this.#accountTable.touch(account);
  }

  accounts(): Iterable<AccountRow> {
    return this.#accounts.values();
  }

  get liveAccountCount(): number {
    return this.#liveAccounts;
  }

  /** 0 = the instance has no owner. */
  get instanceOwnerId(): number {
    return this.#instanceOwnerId;
  }

  addAccount(account: AccountRow): void {
    this.#indexAccount(account);
    this.#accountTable.touch(account);
  }

  changedAccount(account: AccountRow): void {
    this.#accountTable.touch(account);
  }

  /** Marks the account deleted and frees its name. */
  forgetAccountName(account: AccountRow): void {
    if (account.usernameKey !== null) {
      this.#accountIdByKey.delete(account.usernameKey);
      this.#countSkeleton(account.username, -1);
    }
    account.usernameKey = null;
    account.deleted = true;
    this.#liveAccounts -= 1;
    if (this.#instanceOwnerId === account.id) this.#instanceOwnerId = 0;
    this.#accountTable.touch(account);
  }

  #indexAccount(account: AccountRow): void {
    this.#accounts.set(account.id, account);
    if (account.usernameKey !== null) {
      this.#accountIdByKey.set(account.usernameKey, account.id);
      this.#countSkeleton(account.username, 1);
    }
    if (account.blocked !== null) this.#blocked.set(account.id, new Set(blockedIds(account)));
    if (account.linkHash !== "") this.#accountIdByLink.set(account.linkHash, account.id);
    if (account.deleted) return;
    this.#liveAccounts += 1;
    if (account.owner) this.#instanceOwnerId = account.id;
  }

  // ---- Sessions

  session(id: number): SessionRow | undefined {
    return this.#sessions.get(id);
  }

  sessionByToken(tokenHash: string): SessionRow | undefined {
    const id = this.#sessionIdByToken.get(tokenHash);
    return id === undefined ? undefined : this.#sessions.get(id);
  }

  sessions(): Iterable<SessionRow> {
    return this.#sessions.values();
  }

  /** In the order in which they were made. */
  sessionsOf(accountId: number): SessionRow[] {
    const ids = this.#sessionIdsByAccount.get(accountId) ?? NO_IDS;
    const sessions: SessionRow[] = [];
    for (const id of ids) {
      const session = this.#sessions.get(id);
      if (session !== undefined) sessions.push(session);
    }
    return sessions;
  }

  addSession(session: SessionRow): void {
    this.#indexSession(session);
    this.#sessionTable.touch(session);
  }

  removeSession(session: SessionRow): void {
    this.#sessions.delete(session.id);
    this.#sessionIdByToken.delete(session.tokenHash);
    const ids = this.#sessionIdsByAccount.get(session.accountId);
    ids?.delete(session.id);
    if (ids?.size === 0) this.#sessionIdsByAccount.delete(session.accountId);
    this.#sessionTable.remove(session);
  }

  #indexSession(session: SessionRow): void {
    this.#sessions.set(session.id, session);
    this.#sessionIdByToken.set(session.tokenHash, session.id);
    const ids = this.#sessionIdsByAccount.get(session.accountId);
    if (ids === undefined) this.#sessionIdsByAccount.set(session.accountId, new Set([session.id]));
    else ids.add(session.id);
  }

  // ---- Invites

  invite(id: number): InviteRow | undefined {
    return this.#invites.get(id);
  }

  inviteBySecret(secretHash: string): InviteRow | undefined {
    return this.#inviteBySecret.get(secretHash);
  }

  /** Those that an account has made. */
  invitesBy(accountId: number): InviteRow[] {
    return [...(this.#invitesByAccount.get(accountId) ?? NO_INVITES)];
  }

  /** Those that lead to a room; 0 = to none. */
  invitesTo(roomId: number): InviteRow[] {
    return [...(this.#invitesByRoom.get(roomId) ?? NO_INVITES)];
  }

  addInvite(invite: InviteRow): void {
    this.#indexInvite(invite);
    this.#inviteTable.touch(invite);
  }

  changedInvite(invite: InviteRow): void {
    this.#inviteTable.touch(invite);
  }

  removeInvite(invite: InviteRow): void {
    this.#invites.delete(invite.id);
    this.#inviteBySecret.delete(invite.secretHash);
    this.#invitesByAccount.get(invite.accountId)?.delete(invite);
    this.#invitesByRoom.get(invite.roomId)?.delete(invite);
    this.#inviteTable.remove(invite);
  }

  #indexInvite(invite: InviteRow): void {
    this.#invites.set(invite.id, invite);
    this.#inviteBySecret.set(invite.secretHash, invite);
    addTo(this.#invitesByAccount, invite.accountId, invite);
    addTo(this.#invitesByRoom, invite.roomId, invite);
  }

  // ---- Rooms

  room(id: number): RoomRow | undefined {
    return this.#rooms.get(id);
  }

  /** The room, unless it does not exist or is deleted. */
  liveRoom(id: number): RoomRow | undefined {
    const room = this.#rooms.get(id);
    return room?.deleted === false ? room : undefined;
  }

  rooms(): Iterable<RoomRow> {
    return this.#rooms.values();
  }

  publicRoomIdByKey(nameKey: string): number | undefined {
    return this.#publicRoomIdByKey.get(nameKey);
  }

  directRoom(low: number, high: number): RoomRow | undefined {
    const id = this.#directRoomIdByPair.get(`${low}:${high}`);
    return id === undefined ? undefined : this.#rooms.get(id);
  }

  addRoom(room: RoomRow): void {
    this.#indexRoom(room);
    this.#roomTable.touch(room);
  }

  changedRoom(room: RoomRow): void {
    this.#roomTable.touch(room);
  }

  /** Changes name, visibility or existence, and keeps the directory's names in step. */
  changeRoomName(room: RoomRow, change: () => void): void {
    if (this.#publicRoomIdByKey.get(room.nameKey) === room.id) {
      this.#publicRoomIdByKey.delete(room.nameKey);
    }
    change();
    this.#indexRoom(room);
    this.#roomTable.touch(room);
  }

  #indexRoom(room: RoomRow): void {
    this.#rooms.set(room.id, room);
    if (room.deleted) {
      if (room.directLow !== 0) {
        this.#directRoomIdByPair.delete(`${room.directLow}:${room.directHigh}`);
      }
      return;
    }
    if (room.visibility === 1) this.#publicRoomIdByKey.set(room.nameKey, room.id);
    if (room.directLow !== 0) {
      this.#directRoomIdByPair.set(`${room.directLow}:${room.directHigh}`, room.id);
    }
  }

  // ---- Members

  /** The row of a member, a former member or a banned person. */
  memberRow(roomId: number, accountId: number): MemberRow | undefined {
    return this.#members.get(roomId)?.get(accountId);
  }

  /** The row of a current member. */
  member(roomId: number, accountId: number): MemberRow | undefined {
    const row = this.memberRow(roomId, accountId);
    return row !== undefined && row.role !== 0 ? row : undefined;
  }

  /** Every row of a room, former members' too. */
  memberRows(roomId: number): Iterable<MemberRow> {
    return (this.#members.get(roomId) ?? NO_MEMBERS).values();
  }

  /** Ids of the rooms that an account is in, smallest first. */
  roomIdsOf(accountId: number): number[] {
    return [...(this.#roomIdsByAccount.get(accountId) ?? NO_IDS)].sort((x, y) => x - y);
  }

  roomCountOf(accountId: number): number {
    return this.#roomIdsByAccount.get(accountId)?.size ?? 0;
  }

  /** The row is new, or its role or anything else in it changed. */
  changedMember(member: MemberRow): void {
    this.#indexMember(member);
    this.#memberTable.touch(member);
  }

  #indexMember(member: MemberRow): void {
    let rows = this.#members.get(member.roomId);
    if (rows === undefined) {
      rows = new Map();
      this.#members.set(member.roomId, rows);
    }
    rows.set(member.accountId, member);
    let rooms = this.#roomIdsByAccount.get(member.accountId);
    if (member.role === 0) {
      rooms?.delete(member.roomId);
      return;
    }
    if (rooms === undefined) {
      rooms = new Set();
      this.#roomIdsByAccount.set(member.accountId, rooms);
    }
    rooms.add(member.roomId);
  }

  /** What the account has sent to the room; undefined = nothing. */
  sender(roomId: number, accountId: number): SenderRow | undefined {
    return this.#senders.get(roomId)?.get(accountId);
  }

  /** What a member has not read of the room itself. */
  unread(room: RoomRow, { accountId, readSeq }: MemberRow): Counts {
    const sender = this.sender(room.id, accountId);
    return this.#counts.count({
      roomId: room.id,
      accountId,
      readSeq,
      lastSeq: room.lastSeq,
      sentCount: sender?.sentCount ?? 0,
      lastSentSeq: sender?.lastSeq ?? 0,
      sentReplies: sender?.replyCount ?? 0,
    });
  }

  /** A member's place in a thread, if they have or had one since they joined. */
  placeInThread(member: MemberRow, threadRootSeq: number): FollowRow | undefined {
    const row = this.follows.find(member.accountId, member.roomId, threadRootSeq);
    return row !== undefined && row.changedRevision > member.joinedRevision ? row : undefined;
  }

  /** The same, if they follow it now. */
  followed(member: MemberRow, threadRootSeq: number): FollowRow | undefined {
    const row = this.placeInThread(member, threadRootSeq);
    return row?.following === true ? row : undefined;
  }

  /** What somebody has not read of a thread that they follow. */
  unreadInThread(room: RoomRow, { accountId, threadRootSeq, readSeq }: FollowRow): Counts {
    const place = { roomId: room.id, threadRootSeq, accountId, readSeq };
    return this.#counts.countThread({ ...place, lastSeq: room.lastSeq });
  }

  changedSender(sender: SenderRow): void {
    this.#indexSender(sender);
    this.#senderTable.touch(sender);
  }

  #indexSender(sender: SenderRow): void {
    let senders = this.#senders.get(sender.roomId);
    if (senders === undefined) {
      senders = new Map();
      this.#senders.set(sender.roomId, senders);
    }
    senders.set(sender.accountId, sender);
  }
}
