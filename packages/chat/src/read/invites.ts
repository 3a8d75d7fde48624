// Reads about invites, and about who may register.
import {
  GetRegistrationResponse,
  type Invite,
  type ListInvitesRequest,
  ListInvitesResponse,
  RoomRole,
} from "@parley/protocol";
import { type ChatDatabase, prepareArrays, type Statement } from "../database.ts";
import { inviteProblem } from "../invites.ts";
import { type AccountRow, INVITES, type InviteRow } from "../rows.ts";
import { allArrays, columnsOf, firstArray } from "../schema.ts";
import { inviteView } from "../views.ts";
import { readableRoom } from "./access.ts";
import type { RowSource } from "./rows-of.ts";

export class InviteReads {
  readonly #rows: RowSource;
  readonly #bySecret: Statement;
  readonly #ofRoom: Statement;
  readonly #ofAccount: Statement;
  readonly #meta: Statement;

  constructor(db: ChatDatabase, rows: RowSource) {
    this.#rows = rows;
    const invites = `SELECT ${columnsOf(INVITES)} FROM invites`;
    this.#bySecret = prepareArrays(db, `${invites} WHERE secret_hash = ?`);
    this.#ofRoom = prepareArrays(db, `${invites} WHERE room_id = ? ORDER BY id`);
    this.#ofAccount = prepareArrays(db, `${invites} WHERE account_id = ? ORDER BY id`);
    this.#meta = prepareArrays(db, "SELECT registration, stamp_ms FROM meta");
  }

  /** What the owner has chosen. The node knows what holds where nothing was, and who may own the instance. */
  registration(inviteHash: string, revision: number): Uint8Array {
    const [mode = 0, stampMs = 0] = (firstArray(this.#meta) ?? []) as number[];
    const values = inviteHash === "" ? undefined : firstArray(this.#bySecret, inviteHash);
    const invite = values === undefined ? undefined : INVITES.row(values);
    return GetRegistrationResponse.encode({
      mode: mode as 0 | 1 | 2 | 3,
      setupTokenNeeded: false,
      invite: invite === undefined ? undefined : this.#good(invite, stampMs),
      revision,
      staleMs: 0,
    }).finish();
  }

  /** As far as replicated time has come. */
  #good(invite: InviteRow, stampMs: number): Invite | undefined {
    const maker = this.#rows.account(invite.accountId);
    const room = this.#rows.room(invite.roomId);
    const role = this.#rows.member(invite.roomId, invite.accountId)?.role ?? 0;
    const problem = inviteProblem(invite, { maker, room, role }, stampMs);
    return problem === undefined ? inviteView(invite, maker, room) : undefined;
  }

  /** Bounded by how many there may be. */
  list({ roomId }: ListInvitesRequest, account: AccountRow, revision: number): Uint8Array {
    const role = roomId === 0 ? 0 : this.#roleIn(roomId, account.id);
    const found =
      role >= RoomRole.ROOM_ROLE_ADMIN
        ? allArrays(this.#ofRoom, roomId)
        : allArrays(this.#ofAccount, account.id);
    const invites = found
      .map((values) => INVITES.row(values))
      .filter((invite) => roomId === 0 || invite.roomId === roomId)
      .map((invite) =>
        inviteView(invite, this.#rows.account(invite.accountId), this.#rows.room(invite.roomId)),
      );
    return ListInvitesResponse.encode({ invites, revision, staleMs: 0 }).finish();
  }

  #roleIn(roomId: number, accountId: number): number {
    const room = readableRoom(this.#rows, roomId, accountId);
    return this.#rows.member(room.id, accountId)?.role ?? 0;
  }
}
