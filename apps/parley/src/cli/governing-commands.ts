// What admins and owners do with a room.
import { RoomRole } from "@parley/protocol";
import { Argument, type Command } from "commander";
import { addAccountOptions, output } from "./common-options.ts";
import { type CommonFlags, withAccount } from "./connection.ts";
import { chatJson } from "./json.ts";
import { ask, isInteractive } from "./prompt.ts";
import { ownRoom, roomTitle } from "./rooms.ts";
import { UsageError } from "./usage-error.ts";

const ROLES = {
  member: RoomRole.ROOM_ROLE_MEMBER,
  admin: RoomRole.ROOM_ROLE_ADMIN,
  owner: RoomRole.ROOM_ROLE_OWNER,
} as const;
export type RoleName = keyof typeof ROLES;
export const ROLE_NAMES = Object.keys(ROLES) as RoleName[];

export function roleOf(name: RoleName): RoomRole {
  return ROLES[name];
}

function addRole(program: Command): void {
  addAccountOptions(program.command("role"))
    .description("for a room's owners: make somebody an admin, an owner or a plain member of it")
    .argument("<room>", "its name or number")
    .argument("<account>")
    .addArgument(new Argument("<role>").choices(ROLE_NAMES))
    .action(async (reference: string, username: string, name: RoleName, flags: CommonFlags) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const room = await ownRoom(client, reference, deadlineMs);
        const request = { roomId: room.id, username, role: roleOf(name) };
        const reply = await client.call("setRole", request, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => [`${username} is ${name} in ${roomTitle(room)}.`],
        );
      });
    });
}

interface UpdateFlags extends CommonFlags {
  readonly name?: string;
  readonly topic?: string;
}

function addUpdate(program: Command): void {
  addAccountOptions(program.command("update-room"))
    .description("for a room's admins: give it another name or topic")
    .argument("<room>", "its name or number")
    .option("--name <name>")
    .option("--topic <text>", "what it is about")
    .action(async (reference: string, flags: UpdateFlags) => {
      const { name = "", topic = "" } = flags;
      if (name === "" && topic === "") throw new UsageError("Say --name, --topic or both.");
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const room = await ownRoom(client, reference, deadlineMs);
        const request = { roomId: room.id, name, topic };
        const reply = await client.call("updateRoom", request, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => [`${roomTitle(reply.room ?? room)}: ${reply.room?.topic ?? ""}`],
        );
      });
    });
}

function addDelete(program: Command): void {
  addAccountOptions(program.command("delete-room"))
    .description("for a room's owners: delete it, with all its messages, for everybody")
    .argument("<room>", "its name or number")
    .option("--yes", "without asking", false)
    .action(async (reference: string, flags: CommonFlags & { readonly yes: boolean }) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const room = await ownRoom(client, reference, deadlineMs);
        if (!flags.yes) await confirm(roomTitle(room));
        const reply = await client.call("deleteRoom", { roomId: room.id }, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => [`${roomTitle(room)} is gone.`],
        );
      });
    });
}

async function confirm(title: string): Promise<void> {
  if (!isInteractive()) throw new UsageError("Say --yes to delete the room.");
  process.stderr.write(`This deletes ${title} and all its messages, for everybody and for ever.\n`);
  const typed = await ask(`Type ${title} to go on: `);
  if (typed !== title) throw new UsageError("Nothing was deleted.");
}

export function addGoverningCommands(program: Command): void {
  addRole(program);
  addUpdate(program);
  addDelete(program);
}
