// Rooms and who is in them.
import { mayNotWrite } from "@parley/client";
import { LIMITS, type Room, type RoomMember, RoomRole, RoomVisibility } from "@parley/protocol";
import { Argument, type Command, InvalidArgumentError } from "commander";
import pc from "picocolors";
import { durationMs } from "./arguments.ts";
import { addAccountOptions, output } from "./common-options.ts";
import { type CommonFlags, withAccount } from "./connection.ts";
import { accountText, lastSeen, printable, shortTime, staleRemark } from "./format.ts";
import { chatJson } from "./json.ts";
import { joinByReference, listRooms, ownRoom, roomTitle, unreadCounts } from "./rooms.ts";
import { formatTable } from "./table.ts";

export function roleText(role: RoomRole): string {
  switch (role) {
    case RoomRole.ROOM_ROLE_OWNER:
      return "owner";
    case RoomRole.ROOM_ROLE_ADMIN:
      return "admin";
    default:
      return "";
  }
}

function visibilityText(room: Room): string {
  switch (room.visibility) {
    case RoomVisibility.ROOM_VISIBILITY_PRIVATE:
      return "private";
    case RoomVisibility.ROOM_VISIBILITY_DIRECT:
      return "direct";
    default:
      return "public";
  }
}

/** A table of rooms, those with something unread standing out. */
export function roomLines(
  rooms: readonly Room[],
  unreadIn: (roomId: number) => number,
): readonly string[] {
  return formatTable(
    [
      { title: "id", align: "right" },
      { title: "room", align: "left" },
      { title: "kind", align: "left" },
      { title: "members", align: "right" },
      { title: "messages", align: "right" },
      { title: "unread", align: "right" },
      { title: "topic", align: "left" },
    ],
    rooms.map((room) => {
      const unread = unreadIn(room.id);
      return [
        String(room.id),
        `${room.starred ? "★ " : ""}${printable(roomTitle(room))}${room.muted ? pc.dim(" (muted)") : ""}`,
        visibilityText(room),
        String(room.memberCount),
        String(room.lastSeq),
        unread > 0 ? pc.bold(pc.yellow(String(unread))) : "",
        printable(room.topic),
      ];
    }),
  );
}

function addRooms(program: Command): void {
  addAccountOptions(program.command("rooms"))
    .description("list your rooms, or those you can join")
    .argument("[pattern]", "of names; * stands for any letters, ? for one", "")
    .option("--public", "the public rooms that you are not in", false)
    .action(async (pattern: string, flags: CommonFlags & { readonly public: boolean }) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const options = { public: flags.public, pattern, deadlineMs };
        const { rooms, staleMs } = await listRooms(client, options);
        const isCounted = !flags.json && !flags.public;
        const unread = isCounted ? await unreadCounts(client, deadlineMs) : undefined;
        output(
          flags.json,
          () => chatJson({ rooms, staleMs }),
          () => [
            ...[staleRemark(staleMs)].filter((line) => line !== undefined),
            ...(rooms.length === 0 ? ["None."] : roomLines(rooms, (id) => unread?.get(id) ?? 0)),
          ],
        );
      });
    });

  addAccountOptions(program.command("create-room"))
    .description("make a room")
    .argument("<name>")
    .option("--private", "joined by invitation only", false)
    .option("--topic <text>", "what it is about", "")
    .action(
      async (
        name: string,
        flags: CommonFlags & { readonly private: boolean; readonly topic: string },
      ) => {
        await withAccount(flags, async ({ client, deadlineMs }) => {
          const visibility = flags.private
            ? RoomVisibility.ROOM_VISIBILITY_PRIVATE
            : RoomVisibility.ROOM_VISIBILITY_PUBLIC;
          const request = { name, visibility, topic: flags.topic };
          const reply = await client.call("createRoom", request, { deadlineMs });
          output(
            flags.json,
            () => chatJson(reply),
            () => [`The room ${name} is there (id ${reply.room?.id ?? "?"}).`],
          );
        });
      },
    );
}

function addMembership(program: Command): void {
  addAccountOptions(program.command("join"))
    .description("join a public room, or the one that an invite leads to")
    .argument("<room>", "its name or number, or the invite's link")
    .action(async (reference: string, flags: CommonFlags) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const reply = await joinByReference(client, reference, deadlineMs);
        output(
          flags.json,
          () => chatJson(reply),
          () => [`You are in ${reply.room === undefined ? "it" : roomTitle(reply.room)}.`],
        );
      });
    });

  addAccountOptions(program.command("leave"))
    .description("leave a room")
    .argument("<room>", "its name or number")
    .action(async (reference: string, flags: CommonFlags) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const room = await ownRoom(client, reference, deadlineMs);
        const reply = await client.call("leaveRoom", { roomId: room.id }, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => [`You have left ${roomTitle(room)}.`],
        );
      });
    });

  addAccountOptions(program.command("invite"))
    .description("bring somebody into a room")
    .argument("<room>", "its name or number")
    .argument("<account>")
    .action(async (reference: string, username: string, flags: CommonFlags) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const room = await ownRoom(client, reference, deadlineMs);
        const request = { roomId: room.id, username };
        const reply = await client.call("inviteMember", request, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => [`${username} is in ${roomTitle(room)}.`],
        );
      });
    });

  addAccountOptions(program.command("kick"))
    .description("remove somebody from a room")
    .argument("<room>", "its name or number")
    .argument("<account>")
    .option("--ban", "and keep them out", false)
    .action(
      async (
        reference: string,
        username: string,
        flags: CommonFlags & { readonly ban: boolean },
      ) => {
        await withAccount(flags, async ({ client, deadlineMs }) => {
          const room = await ownRoom(client, reference, deadlineMs);
          const request = { roomId: room.id, username, ban: flags.ban };
          const reply = await client.call("removeMember", request, { deadlineMs });
          output(
            flags.json,
            () => chatJson(reply),
            () => [`${username} is out of ${roomTitle(room)}.`],
          );
        });
      },
    );

  addAccountOptions(program.command("mute-member"))
    .description("for a room's admins: forbid somebody to write in it")
    .argument("<room>", "its name or number")
    .argument("<account>")
    .option("--for <time>", "90m, 2h, 7d … (left out: until it is lifted)", muteTime)
    .action(
      async (
        reference: string,
        username: string,
        flags: CommonFlags & { readonly for?: number },
      ) => {
        await muteMember(reference, username, flags, { muted: true, durationMs: flags.for ?? 0 });
      },
    );

  addAccountOptions(program.command("unmute-member"))
    .description("for a room's admins: let somebody write in it again")
    .argument("<room>", "its name or number")
    .argument("<account>")
    .action(async (reference: string, username: string, flags: CommonFlags) => {
      await muteMember(reference, username, flags, { muted: false, durationMs: 0 });
    });

  addAccountOptions(program.command("who"))
    .description("list the members of a room")
    .argument("<room>", "its name or number")
    .action(async (reference: string, flags: CommonFlags) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const room = await ownRoom(client, reference, deadlineMs);
        const request = { roomId: room.id, pageSize: 200 };
        const reply = await client.call("listMembers", request, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => reply.members.map(memberLine),
        );
      });
    });
}

function muteTime(text: string): number {
  const ms = durationMs(text, LIMITS.muteMsMax);
  if (ms === undefined) throw new InvalidArgumentError("Give a time like 90m, 2h or 7d.");
  return ms;
}

async function muteMember(
  reference: string,
  username: string,
  flags: CommonFlags,
  wanted: { readonly muted: boolean; readonly durationMs: number },
): Promise<void> {
  await withAccount(flags, async ({ client, deadlineMs }) => {
    const room = await ownRoom(client, reference, deadlineMs);
    const request = { roomId: room.id, username, ...wanted };
    const reply = await client.call("muteMember", request, { deadlineMs });
    output(
      flags.json,
      () => chatJson(reply),
      () => [`${username} ${wanted.muted ? "can't" : "can"} write in ${roomTitle(room)}.`],
    );
  });
}

/** Who has read up to where, the furthest first; of those who show it. */
export function seenLines(members: readonly RoomMember[], ownId: number): readonly string[] {
  return members
    .filter(({ account, readSeq }) => account !== undefined && account.id !== ownId && readSeq > 0)
    .sort((one, other) => other.readSeq - one.readSeq)
    .map(({ account, readSeq }) => `#${readSeq}  ${printable(account?.username ?? "?")}`);
}

export function receiptsText(shown: boolean): string {
  return shown
    ? "in rooms of up to 50 members others see how far you have read, and you see it of them"
    : "nobody sees how far you have read, and you see it of nobody";
}

export function mutedText(member: { readonly writeForbiddenUntilMs: number }): string {
  const untilMs = member.writeForbiddenUntilMs;
  return untilMs === 0 ? "muted" : `muted until ${shortTime(untilMs)}`;
}

export function memberLine(member: {
  readonly account?: Parameters<typeof accountText>[0] | undefined;
  readonly role: RoomRole;
  readonly writeForbidden: boolean;
  readonly writeForbiddenUntilMs: number;
}): string {
  if (member.account === undefined) return "?";
  const role = roleText(member.role);
  const muted = mayNotWrite(member, Date.now()) ? pc.dim(mutedText(member)) : "";
  const parts = [accountText(member.account), lastSeen(member.account), pc.dim(role), muted];
  return parts.filter((part) => part !== "").join("  ");
}

function addReceipts(program: Command): void {
  addAccountOptions(program.command("seen"))
    .description("show how far the others in a small room have read")
    .argument("<room>", "its name or number")
    .action(async (reference: string, flags: CommonFlags) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const room = await ownRoom(client, reference, deadlineMs);
        const request = { roomId: room.id, pageSize: 200 };
        const reply = await client.call("listMembers", request, { deadlineMs });
        const lines = seenLines(reply.members, client.state.account?.id ?? 0);
        output(
          flags.json,
          () => chatJson(reply),
          () => (lines.length === 0 ? ["Nobody shows it."] : lines),
        );
      });
    });

  addAccountOptions(program.command("read-receipts"))
    .description("show or set whether others see how far you have read, and you see it of them")
    .addArgument(new Argument("[choice]").choices(["on", "off"]))
    .action(async (choice: string | undefined, flags: CommonFlags) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const reply =
          choice === undefined
            ? await client.call("getAccount", {}, { deadlineMs })
            : await client.call("setReadReceipts", { shown: choice === "on" }, { deadlineMs });
        const text = receiptsText(reply.account?.readsHidden === false);
        output(
          flags.json,
          () => chatJson(reply),
          () => [`${text.charAt(0).toUpperCase()}${text.slice(1)}.`],
        );
      });
    });
}

const PREFERENCES = {
  star: { starred: true },
  unstar: { starred: false },
  mute: { muted: true },
  unmute: { muted: false },
} as const;

const PREFERENCE_TEXTS = {
  star: ["put a room on top of your rooms, on all your devices", "is starred"],
  unstar: ["take a room's star away", "is no longer starred"],
  mute: ["be told of a room's mentions of you only, on all your devices", "is muted"],
  unmute: ["be told of all of a room again", "is no longer muted"],
} as const;

function addPreferences(program: Command): void {
  for (const name of ["star", "unstar", "mute", "unmute"] as const) {
    const [description, done] = PREFERENCE_TEXTS[name];
    addAccountOptions(program.command(name))
      .description(description)
      .argument("<room>", "its name or number")
      .action(async (reference: string, flags: CommonFlags) => {
        await withAccount(flags, async ({ client, deadlineMs }) => {
          const room = await ownRoom(client, reference, deadlineMs);
          const request = { roomId: room.id, ...PREFERENCES[name] };
          const reply = await client.call("setRoomPreference", request, { deadlineMs });
          output(
            flags.json,
            () => chatJson(reply),
            () => [`${roomTitle(room)} ${done}.`],
          );
        });
      });
  }
}

export function addRoomCommands(program: Command): void {
  addRooms(program);
  addPreferences(program);
  addReceipts(program);
  addMembership(program);
}
