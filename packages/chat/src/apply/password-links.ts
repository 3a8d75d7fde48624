// Forgotten passwords: the instance's owner makes a link, and whoever has it sets the password, once. The state has the hash of its secret.
import {
  type CreatePasswordLinkCommand,
  CreatePasswordLinkResponse,
  type UsePasswordLinkCommand,
  UsePasswordLinkResponse,
} from "@parley/protocol";
import type { AccountRow } from "../rows.ts";
import { setPasswordOf } from "./accounts.ts";
import { type ApplyContext, type Result, refuse } from "./context.ts";
import { hexOf } from "./sessions.ts";

/** In the place of the one before. */
export function createPasswordLink(
  context: ApplyContext,
  actor: AccountRow,
  command: CreatePasswordLinkCommand,
): Result {
  const { state, revision, stampMs } = context;
  if (!actor.owner) {
    return refuse("PERMISSION_DENIED", "Only the instance's owner makes password links.", {
      subject: "instance",
    });
  }
  const account = state.liveAccount(command.accountId);
  if (account === undefined) return refuse("ACCOUNT_NOT_FOUND", "There is no such account.");
  const linkHash = hexOf(command.secretHash);
  const holder = state.accountByLink(linkHash);
  if (holder !== undefined) return refuse("INVALID_ARGUMENT", "The secret is in use.");
  const expiresAtMs = stampMs + command.ttlMs;
  state.setLink(account, linkHash, expiresAtMs);
  return CreatePasswordLinkResponse.encode({ expiresAtMs, revision }).finish();
}

export function usePasswordLink(context: ApplyContext, command: UsePasswordLinkCommand): Result {
  const { state, revision, stampMs } = context;
  const account = state.accountByLink(hexOf(command.secretHash));
  if (account === undefined || account.linkExpiresAtMs <= stampMs) {
    return refuse("PASSWORD_LINK_NOT_FOUND", "This link does not count, or no longer.");
  }
  setPasswordOf(context, account, command.passwordHash, 0);
  return UsePasswordLinkResponse.encode({ username: account.username, revision }).finish();
}
