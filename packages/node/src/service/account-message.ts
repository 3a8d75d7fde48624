// Accounts as clients see them. Whether somebody is online is known to the node only, not to the
// replicated state, so it is filled in on the way out.
import {
  type Account,
  GetAccountResponse,
  ListAccountsResponse,
  ListMembersResponse,
  ListRoomsResponse,
  type OperationName,
} from "@parley/protocol";
import type { Replica } from "../replica.ts";

/** The account of a session that just said hello. */
export function ownAccount(replica: Replica, accountId: number): Account | undefined {
  const account = replica.admission.account(accountId);
  if (account === undefined) return undefined;
  return {
    id: account.accountId,
    username: account.username,
    displayName: account.displayName,
    online: true,
    lastSeenMs: account.lastSeenMs,
    owner: account.owner,
    deleted: account.deleted,
    readsHidden: account.readsHidden,
  };
}

/** The encoded response of a read with `online` of the accounts in it set; other reads unchanged. */
export function withPresence(
  operation: OperationName,
  response: Uint8Array,
  replica: Replica,
): Uint8Array {
  const fill = (account: Account | undefined) => {
    if (account !== undefined) account.online = !account.deleted && replica.isOnline(account.id);
  };
  switch (operation) {
    case "listAccounts": {
      const message = ListAccountsResponse.decode(response);
      message.accounts.forEach(fill);
      return ListAccountsResponse.encode(message).finish();
    }
    case "getAccount": {
      const message = GetAccountResponse.decode(response);
      fill(message.account);
      return GetAccountResponse.encode(message).finish();
    }
    case "listMembers": {
      const message = ListMembersResponse.decode(response);
      for (const member of message.members) fill(member.account);
      return ListMembersResponse.encode(message).finish();
    }
    case "listRooms": {
      const message = ListRoomsResponse.decode(response);
      for (const room of message.rooms) fill(room.peer);
      return ListRoomsResponse.encode(message).finish();
    }
    default:
      return response;
  }
}
