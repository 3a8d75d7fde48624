// Invite links: making, listing, revoking them.
import { invitePath, inviteSecretIn, newSecret, type ParleyClient } from "@parley/client";
import { type Invite, LIMITS } from "@parley/protocol";
import type { Command } from "commander";
import { wholeNumber } from "./arguments.ts";
import { addAccountOptions, output } from "./common-options.ts";
import { type CommonFlags, withAccount } from "./connection.ts";
import { printable, shortTime } from "./format.ts";
import { chatJson } from "./json.ts";
import { ownRoom } from "./rooms.ts";
import { formatTable } from "./table.ts";
import { UsageError } from "./usage-error.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
export const INVITE_DAYS_DEFAULT = 7;
export const INVITE_DAYS_MAX = LIMITS.inviteTtlMsMax / DAY_MS;

export interface InviteTerms {
  /** 0 = until it is revoked. */
  readonly days: number;
  /** 0 = any number. */
  readonly uses: number;
}

/** The secret in the link that somebody was sent. */
export function inviteSecretOf(link: string): string {
  const secret = inviteSecretIn(link);
  if (secret === undefined) {
    throw new UsageError("That is no invite. Its link ends in /join# and a long word.");
  }
  return secret;
}

/** Makes an invite; `path` follows the address of any node, and is shown this once. */
export async function makeInvite(
  client: ParleyClient,
  roomId: number,
  { days, uses }: InviteTerms,
  deadlineMs?: number,
): Promise<{ readonly path: string; readonly invite: Invite | undefined }> {
  const secret = newSecret();
  const request = { roomId, secret, ttlMs: days * DAY_MS, usesMax: uses };
  const { invite } = await client.call("createInvite", request, { deadlineMs });
  return { path: invitePath(secret), invite };
}

/** What to tell of a link that was just made. */
export function inviteLines(client: ParleyClient, path: string, isSecure: boolean): string[] {
  return [
    "Whoever opens this link comes in. It works at every node, and is not shown again:",
    linkLine(client, path, isSecure),
  ];
}

/** The link, at one of the nodes that serve the page. */
export function linkLine(client: ParleyClient, path: string, isSecure: boolean): string {
  const [page] = client.state.pages;
  if (page === undefined) return `  ${path} (after the address of a node's page)`;
  return `  ${isSecure ? "https" : "http"}://${page}${path}`;
}

export function inviteTable(invites: readonly Invite[]): readonly string[] {
  if (invites.length === 0) return ["None."];
  return formatTable(
    [
      { title: "id", align: "right" },
      { title: "to", align: "left" },
      { title: "by", align: "left" },
      { title: "used", align: "right" },
      { title: "until", align: "left" },
    ],
    invites.map((invite) => [
      String(invite.id),
      invite.roomId === 0 ? "the instance" : printable(invite.roomName),
      printable(invite.maker?.username ?? "?"),
      invite.usesMax === 0 ? String(invite.useCount) : `${invite.useCount}/${invite.usesMax}`,
      invite.expiresAtMs === 0 ? "it is revoked" : shortTime(invite.expiresAtMs),
    ]),
  );
}

export function addInviteCommands(program: Command): void {
  addAccountOptions(program.command("invite-link"))
    .description(
      "make a link by which others come into a room, and get accounts where that takes one",
    )
    .argument("[room]", "its name or number; none, for the instance's owner: to the instance alone")
    .option(
      "--days <n>",
      "how long it counts; 0 = until it is revoked",
      wholeNumber(0, INVITE_DAYS_MAX),
      INVITE_DAYS_DEFAULT,
    )
    .option(
      "--uses <n>",
      "how many it admits; 0 = any number",
      wholeNumber(0, LIMITS.inviteUsesMax),
      0,
    )
    .action(async (reference: string | undefined, flags: CommonFlags & InviteTerms) => {
      await withAccount(flags, async ({ client, deadlineMs, isSecure }) => {
        const room =
          reference === undefined ? undefined : await ownRoom(client, reference, deadlineMs);
        const made = await makeInvite(client, room?.id ?? 0, flags, deadlineMs);
        output(
          flags.json,
          () => chatJson(made),
          () => inviteLines(client, made.path, isSecure),
        );
      });
    });

  addAccountOptions(program.command("invite-links"))
    .description("list your invite links; of a room that you look after, everybody's")
    .argument("[room]", "its name or number")
    .action(async (reference: string | undefined, flags: CommonFlags) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const room =
          reference === undefined ? undefined : await ownRoom(client, reference, deadlineMs);
        const reply = await client.call("listInvites", { roomId: room?.id ?? 0 }, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => inviteTable(reply.invites),
        );
      });
    });

  addAccountOptions(program.command("revoke-invite"))
    .description("end an invite link")
    .argument("<id>", "its number in the list", wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .action(async (inviteId: number, flags: CommonFlags) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const reply = await client.call("revokeInvite", { inviteId }, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => [`The invite ${inviteId} admits nobody any more.`],
        );
      });
    });
}
