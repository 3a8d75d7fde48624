// The commands by which a room is looked after, and one's own account.
import { ParleyError } from "@parley/protocol";
import { sessionTable } from "../cli/account-commands.ts";
import { printable } from "../cli/format.ts";
import { ROLE_NAMES, roleOf } from "../cli/governing-commands.ts";
import type { Chat } from "./chat.ts";

export async function setRole(chat: Chat, username: string, word: string): Promise<void> {
  const name = ROLE_NAMES.find((one) => one === word.toLowerCase());
  if (name === undefined) {
    throw new ParleyError("INVALID_ARGUMENT", `A role is one of ${ROLE_NAMES.join(", ")}.`);
  }
  const { id: roomId } = chat.open.require();
  await chat.client.call("setRole", { roomId, username, role: roleOf(name) });
  chat.note(`${printable(username)} is ${name} here`);
}

/** Its name has to be typed: what is in it is gone for everybody. */
export async function deleteRoom(chat: Chat, typed: string): Promise<void> {
  const { id: roomId, name } = chat.open.require();
  if (typed !== name) {
    chat.note(
      `this deletes the room and all its messages, for everybody and for ever: /delete-room ${printable(name)} does it`,
    );
    return;
  }
  await chat.client.call("deleteRoom", { roomId });
  chat.note(`${printable(name)} is gone`);
}

/** The name that others see; "" = which one that is. */
export async function displayName(chat: Chat, wanted: string): Promise<void> {
  const { account } =
    wanted === ""
      ? await chat.client.call("getAccount")
      : await chat.client.call("updateProfile", { displayName: wanted });
  chat.note(`others see you as ${printable(account?.displayName ?? "")}`);
}

/** Where the account is signed in; with an id, that one ends. */
export async function sessions(chat: Chat, sessionId: number): Promise<void> {
  if (sessionId > 0) {
    await chat.client.call("revokeSession", { sessionId });
    chat.note("it is signed out");
    return;
  }
  const { sessions: found } = await chat.client.call("listSessions");
  for (const line of sessionTable(found)) chat.print(`  ${line}`);
}
