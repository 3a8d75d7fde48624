// What the commands of the chat do.
import { newSecret, type OutboxItem, passwordPath } from "@parley/client";
import { LIMITS, ParleyError, type Room, RoomVisibility } from "@parley/protocol";
import pc from "picocolors";
import { MODE_NAMES, modeOf, registrationText } from "../cli/account-commands.ts";
import { durationMs } from "../cli/arguments.ts";
import { askAnyStatus } from "../cli/cluster-client.ts";
import { filesOf, saveFile, uploadPath } from "../cli/files.ts";
import {
  accountText,
  lastSeen,
  mentionsText,
  messageLine,
  printable,
  searchLine,
  unreadText,
} from "../cli/format.ts";
import {
  INVITE_DAYS_DEFAULT,
  INVITE_DAYS_MAX,
  inviteLines,
  inviteTable,
  linkLine,
  makeInvite,
} from "../cli/invite-commands.ts";
import { versionOf } from "../cli/message-commands.ts";
import { memberLine, receiptsText, roomLines, seenLines } from "../cli/room-commands.ts";
import { joinByReference, listRooms, roomTitle } from "../cli/rooms.ts";
import { statusLines } from "../cli/status-table.ts";
import type { Chat } from "./chat.ts";
import { deleteRoom, displayName, sessions, setRole } from "./governing.ts";
import { CHAT_COMMANDS, type ChatCommandName, splitFirst, splitQuoted } from "./input.ts";

const HISTORY_DEFAULT = 20;
const HISTORY_MAX = 200;
const SEARCH_PAGE = 10;
const STATUS_TIMEOUT_MS = 2_000;

function usage(name: ChatCommandName): ParleyError {
  const command = CHAT_COMMANDS.find((one) => one.name === name);
  return new ParleyError("INVALID_ARGUMENT", `It goes like this: ${command?.usage ?? name}`);
}

function wholeNumber(text: string, name: ChatCommandName, max: number): number {
  const value = Number(text.replace(/^#/, ""));
  if (!Number.isSafeInteger(value) || value < 1 || value > max) throw usage(name);
  return value;
}

function requireText(text: string, name: ChatCommandName): string {
  if (text === "") throw usage(name);
  return text;
}

function bareAccount(text: string): string {
  return text.replace(/^@/, "");
}

function help(chat: Chat): void {
  const width = Math.max(...CHAT_COMMANDS.map((one) => one.usage.length));
  for (const { usage: form, text } of CHAT_COMMANDS) {
    chat.print(`  ${pc.cyan(form.padEnd(width))}  ${text}`);
  }
  chat.note("anything else is sent to the open room; // sends a text that starts with a slash");
}

async function showRooms(chat: Chat): Promise<void> {
  const own = await listRooms(chat.client, {});
  chat.book.load(own.rooms);
  const lines =
    own.rooms.length === 0
      ? ["You are in no room."]
      : roomLines(chat.book.rooms, (id) => chat.book.unread(id));
  for (const line of lines) chat.print(line);
  const open = await listRooms(chat.client, { public: true });
  if (open.rooms.length === 0) return;
  chat.print("You can join:");
  for (const line of roomLines(open.rooms, () => 0)) chat.print(line);
}

async function join(chat: Chat, reference: string): Promise<void> {
  requireText(reference, "join");
  if (reference.startsWith("@")) return await direct(chat, reference, "");
  const own = chat.book.find(reference);
  if (own !== undefined) return await chat.open.open(own);
  const { room } = await joinByReference(chat.client, reference);
  if (room !== undefined) await chat.open.open(room);
}

async function create(chat: Chat, rest: string): Promise<void> {
  const isPrivate = /\s+private$/i.test(rest);
  const name = requireText(rest.replace(/\s+private$/i, ""), "create");
  const visibility = isPrivate
    ? RoomVisibility.ROOM_VISIBILITY_PRIVATE
    : RoomVisibility.ROOM_VISIBILITY_PUBLIC;
  const { room } = await chat.client.call("createRoom", { name, visibility });
  if (room !== undefined) await chat.open.open(room);
}

async function direct(chat: Chat, account: string, text: string): Promise<void> {
  const username = bareAccount(requireText(account, "dm"));
  const { room } = await chat.client.call("openDirect", { username });
  if (room === undefined) return;
  await chat.open.open(room);
  if (text !== "") chat.sendTo(room, text);
}

async function who(chat: Chat, room: Room): Promise<void> {
  const { members } = await chat.client.call("listMembers", { roomId: room.id, pageSize: 200 });
  for (const member of members) chat.print(`  ${memberLine(member)}`);
}

/** Without a query: what comes after the hits that were shown last. */
async function search(chat: Chat, query: string): Promise<void> {
  const before = query === "" ? chat.searched : { query, pageToken: "" };
  if (before === undefined) throw usage("search");
  const { hits, nextPageToken } = await chat.client.search({ ...before, pageSize: SEARCH_PAGE });
  chat.searched =
    nextPageToken === "" ? undefined : { query: before.query, pageToken: nextPageToken };
  if (hits.length === 0) chat.note("nothing is found");
  // The best is the newest, and stands last, next to the input.
  for (const hit of hits.toReversed()) {
    const room = chat.book.get(hit.message?.roomId ?? 0);
    chat.print(searchLine(hit, room === undefined ? "" : roomTitle(room)));
  }
  if (nextPageToken !== "") chat.note("there are more: /search");
}

async function showUnread(chat: Chat): Promise<void> {
  const reply = await chat.client.call("unread", {});
  chat.print(unreadText(reply));
  for (const one of reply.rooms) {
    const room = chat.book.get(one.roomId);
    if (one.unreadCount === 0 || room === undefined) continue;
    const count = String(one.unreadCount).padStart(5);
    chat.print(`  ${count}  ${printable(roomTitle(room))}${mentionsText(one.mentionCount)}`);
  }
}

async function read(chat: Chat, rest: string): Promise<void> {
  const rooms = rest.toLowerCase() === "all" ? chat.book.rooms : [chat.open.require()];
  for (const { id } of rooms) {
    const room = chat.book.get(id);
    if (room === undefined || chat.book.unread(id) === 0) continue;
    await chat.open.markRead(room);
    for (const { threadRootSeq, unreadCount } of room.threads) {
      if (unreadCount === 0) continue;
      await chat.client.call("markRead", { roomId: id, threadRootSeq, seq: room.lastSeq });
    }
  }
  chat.note("read");
}

async function accounts(chat: Chat, pattern: string): Promise<void> {
  const reply = await chat.client.call("listAccounts", { pattern, pageSize: 100 });
  for (const one of reply.accounts) chat.print(`  ${accountText(one)}  ${lastSeen(one)}`);
  if (reply.nextPageToken !== "") chat.note("there are more; narrow the pattern");
}

function unsent(chat: Chat, rest: string): void {
  const items = chat.client.outbox();
  if (rest.toLowerCase() === "drop") {
    for (const item of items) chat.client.dismissFailed(item.clientMessageId);
  } else if (rest.toLowerCase() === "cancel") {
    for (const item of items) chat.client.cancelSend(item.clientMessageId);
  }
  const left = chat.client.outbox();
  if (left.length === 0) chat.note("nothing waits");
  for (const item of left) {
    chat.print(`  ${printable(item.body)}  ${unsentState(item)}`);
  }
}

function unsentState({ failure, withdrawal }: OutboxItem): string {
  if (withdrawal === undefined) return failure === undefined ? "waits" : pc.red(failure.message);
  if (failure === undefined) return "will be deleted, once it is committed";
  return pc.red(`can't be deleted: ${failure.message}`);
}

async function status(chat: Chat): Promise<void> {
  const { nodes, address } = chat.client.state;
  const addresses = nodes.length > 0 ? nodes : [address];
  const options = { timeoutMs: STATUS_TIMEOUT_MS, token: chat.client.token, tls: chat.tls };
  const answer = await askAnyStatus(addresses, options);
  for (const line of statusLines(answer, { withHttp: false })) chat.print(line);
}

async function showPins(chat: Chat): Promise<void> {
  const { messages } = await chat.client.call("listPins", { roomId: chat.open.require().id });
  if (messages.length === 0) chat.note("nothing is pinned here");
  for (const message of messages) chat.print(messageLine(message));
}

async function registration(chat: Chat, word: string): Promise<void> {
  if (word === "")
    return chat.note(registrationText((await chat.client.call("getRegistration")).mode));
  const name = MODE_NAMES.find((one) => one === word.toLowerCase());
  if (name === undefined) throw usage("registration");
  const { mode } = await chat.client.call("setRegistration", { mode: modeOf(name) });
  chat.note(registrationText(mode));
}

async function inviteLink(chat: Chat, words: readonly string[]): Promise<void> {
  const [days = INVITE_DAYS_DEFAULT, uses = 0] = words.map(Number);
  const isFine = (value: number, max: number) =>
    Number.isSafeInteger(value) && value >= 0 && value <= max;
  if (!isFine(days, INVITE_DAYS_MAX) || !isFine(uses, LIMITS.inviteUsesMax)) {
    throw usage("invite-link");
  }
  const { path } = await makeInvite(chat.client, chat.open.require().id, { days, uses });
  for (const line of inviteLines(chat.client, path, chat.tls !== undefined)) chat.print(line);
}

async function inviteLinks(chat: Chat, rest: string): Promise<void> {
  const [word, id] = splitFirst(rest);
  if (word.toLowerCase() === "revoke") {
    const inviteId = wholeNumber(id, "invite-links", Number.MAX_SAFE_INTEGER);
    await chat.client.call("revokeInvite", { inviteId });
    return chat.note("it admits nobody any more");
  }
  if (word !== "") throw usage("invite-links");
  const { invites } = await chat.client.call("listInvites", { roomId: chat.open.require().id });
  for (const line of inviteTable(invites)) chat.print(line);
}

/** A thread is read by looking at it. */
async function showThread(chat: Chat, threadRootSeq: number): Promise<void> {
  const { client } = chat;
  const roomId = chat.open.require().id;
  const { root, messages, followed } = await client.call("thread", { roomId, threadRootSeq });
  if (root !== undefined) chat.print(messageLine(root));
  for (const message of messages) chat.print(messageLine(message));
  const last = messages.at(-1)?.seq ?? 0;
  if (followed === undefined) chat.note(`/follow ${threadRootSeq} tells you of what comes`);
  else if (last > followed.readSeq) {
    await client.call("markRead", { roomId, threadRootSeq, seq: last });
  }
}

async function block(chat: Chat, username: string, word: string): Promise<void> {
  if (username === "") {
    const { accounts: found } = await chat.client.call("listBlocked");
    if (found.length === 0) chat.note("nobody is blocked");
    for (const one of found) chat.print(`  ${accountText(one)}`);
    return;
  }
  const blocked = word.toLowerCase() !== "off";
  await chat.client.call("block", { username, blocked });
  chat.note(`${printable(username)} is ${blocked ? "" : "no longer "}blocked`);
}

async function passwordLink(chat: Chat, username: string): Promise<void> {
  const secret = newSecret();
  await chat.client.call("createPasswordLink", { username, secret });
  chat.print(`Whoever opens this link within a day sets ${printable(username)}'s password, once:`);
  chat.print(linkLine(chat.client, passwordPath(secret), chat.tls !== undefined));
}

async function muteMember(chat: Chat, account: string, time: string): Promise<void> {
  const username = bareAccount(requireText(account, "mute-member"));
  const muted = time !== "off";
  const forMs = muted && time !== "" ? durationMs(time, LIMITS.muteMsMax) : 0;
  if (forMs === undefined) throw usage("mute-member");
  const { id: roomId } = chat.open.require();
  await chat.client.call("muteMember", { roomId, username, muted, durationMs: forMs });
  chat.note(`${username} ${muted ? "can't" : "can"} write here`);
}

async function showSeen(chat: Chat): Promise<void> {
  const { id: roomId } = chat.open.require();
  const { members } = await chat.client.call("listMembers", { roomId, pageSize: 200 });
  const lines = seenLines(members, chat.ownId);
  for (const line of lines) chat.print(`  ${line}`);
  if (lines.length === 0) chat.note("nobody shows how far they have read here");
}

async function receipts(chat: Chat, choice: string): Promise<void> {
  if (choice !== "" && choice !== "on" && choice !== "off") throw usage("receipts");
  const { account } =
    choice === ""
      ? await chat.client.call("getAccount")
      : await chat.client.call("setReadReceipts", { shown: choice === "on" });
  chat.note(receiptsText(account?.readsHidden === false));
}

/** The one is set, the other stays. */
async function prefer(chat: Chat, wanted: Partial<Pick<Room, "starred" | "muted">>): Promise<void> {
  const { id: roomId } = chat.open.require();
  await chat.client.call("setRoomPreference", { roomId, ...wanted });
  const { starred = false, muted = false } = { ...chat.book.get(roomId), ...wanted };
  const what = [starred ? "starred" : "", muted ? "muted" : ""].filter((word) => word !== "");
  chat.note(what.length === 0 ? "neither starred nor muted" : what.join(" and "));
}

/** What one has given already is taken back. */
async function react(chat: Chat, seq: number, emoji: string): Promise<void> {
  const { client } = chat;
  const roomId = chat.open.require().id;
  const { messages } = await client.call("history", { roomId, afterSeq: seq - 1, limit: 1 });
  const [message] = messages;
  const given = message?.seq === seq ? message.reactions : [];
  const isGiven = given.some(
    (reaction) => reaction.emoji === emoji && reaction.accountIds.includes(chat.ownId),
  );
  await client.call("react", { roomId, seq, emoji, add: !isGiven });
}

async function attach(chat: Chat, path: string, text: string): Promise<void> {
  requireText(path, "attach");
  const room = chat.open.require();
  const file = await uploadPath(chat.client, path);
  chat.sendTo(room, text, { files: [file] });
}

async function save(chat: Chat, seq: number, folder: string): Promise<void> {
  for (const attachment of await filesOf(chat.client, chat.open.require().id, seq)) {
    chat.note(`saved as ${printable(await saveFile(chat.client, attachment, folder || "."))}`);
  }
}

/** Rejects with a ParleyError whose message is for the person. */
export async function runChatCommand(
  chat: Chat,
  name: ChatCommandName,
  rest: string,
): Promise<void> {
  const { client } = chat;
  const [first, others] = splitFirst(rest);
  switch (name) {
    case "help":
      return help(chat);
    case "rooms":
      return await showRooms(chat);
    case "join":
      return await join(chat, rest);
    case "create":
      return await create(chat, rest);
    case "dm":
      return await direct(chat, first, others);
    case "who":
      return await who(chat, chat.open.require());
    case "history": {
      const count = rest === "" ? HISTORY_DEFAULT : wholeNumber(rest, "history", HISTORY_MAX);
      return await chat.open.showHistory(count);
    }
    case "search":
      return await search(chat, rest);
    case "unread":
      return await showUnread(chat);
    case "read":
      return await read(chat, rest);
    case "reply": {
      const seq = wholeNumber(first, "reply", Number.MAX_SAFE_INTEGER);
      return chat.reply(seq, requireText(others, "reply"));
    }
    case "attach":
      return await attach(chat, ...splitQuoted(rest));
    case "save":
      return await save(chat, wholeNumber(first, "save", Number.MAX_SAFE_INTEGER), others);
    case "thread": {
      const seq = wholeNumber(first, "thread", Number.MAX_SAFE_INTEGER);
      return others === "" ? await showThread(chat, seq) : chat.replyInThread(seq, others);
    }
    case "follow": {
      const seq = wholeNumber(first, "follow", Number.MAX_SAFE_INTEGER);
      const follow = others.toLowerCase() !== "off";
      await client.call("followThread", { roomId: chat.open.require().id, seq, follow });
      return;
    }
    case "edit": {
      const seq = wholeNumber(first, "edit", Number.MAX_SAFE_INTEGER);
      const body = requireText(others, "edit");
      const roomId = chat.open.require().id;
      const expectedVersion = await versionOf(client, roomId, seq);
      await client.call("edit", { roomId, seq, body, expectedVersion });
      return;
    }
    case "react": {
      const seq = wholeNumber(first, "react", Number.MAX_SAFE_INTEGER);
      return await react(chat, seq, requireText(others, "react"));
    }
    case "pin": {
      const seq = wholeNumber(first, "pin", Number.MAX_SAFE_INTEGER);
      const pinned = others.toLowerCase() !== "off";
      await client.call("pin", { roomId: chat.open.require().id, seq, pinned });
      return;
    }
    case "pins":
      return await showPins(chat);
    case "delete": {
      const words = requireText(rest, "delete").split(/[\s,]+/);
      const seqs = words.map((word) => wholeNumber(word, "delete", Number.MAX_SAFE_INTEGER));
      await client.call("delete", { roomId: chat.open.require().id, seqs });
      return;
    }
    case "invite": {
      const username = bareAccount(requireText(first, "invite"));
      await client.call("inviteMember", { roomId: chat.open.require().id, username });
      return;
    }
    case "invite-link":
      return await inviteLink(chat, rest === "" ? [] : rest.split(/\s+/));
    case "invite-links":
      return await inviteLinks(chat, rest);
    case "kick": {
      const username = bareAccount(requireText(first, "kick"));
      const ban = others.toLowerCase() === "ban";
      await client.call("removeMember", { roomId: chat.open.require().id, username, ban });
      return;
    }
    case "mute-member":
      return await muteMember(chat, ...splitFirst(rest));
    case "seen":
      return await showSeen(chat);
    case "receipts":
      return await receipts(chat, rest.trim().toLowerCase());
    case "star":
      return await prefer(chat, { starred: first.toLowerCase() !== "off" });
    case "mute":
      return await prefer(chat, { muted: first.toLowerCase() !== "off" });
    case "topic": {
      const topic = requireText(rest, "topic");
      await client.call("updateRoom", { roomId: chat.open.require().id, topic });
      return;
    }
    case "rename": {
      const renamed = requireText(rest, "rename");
      await client.call("updateRoom", { roomId: chat.open.require().id, name: renamed });
      return;
    }
    case "role":
      return await setRole(chat, bareAccount(requireText(first, "role")), others);
    case "delete-room":
      return await deleteRoom(chat, rest);
    case "name":
      return await displayName(chat, rest);
    case "sessions": {
      if (rest === "") return await sessions(chat, 0);
      if (first.toLowerCase() !== "end") throw usage("sessions");
      return await sessions(chat, wholeNumber(others, "sessions", Number.MAX_SAFE_INTEGER));
    }
    case "leave":
      await client.call("leaveRoom", { roomId: chat.open.require().id });
      return chat.open.close();
    case "accounts":
      return await accounts(chat, rest);
    case "registration":
      return await registration(chat, first);
    case "block":
      return await block(chat, bareAccount(first), others);
    case "show": {
      const seq = wholeNumber(first, "show", Number.MAX_SAFE_INTEGER);
      const request = { roomId: chat.open.require().id, afterSeq: seq - 1, limit: 1 };
      for (const message of (await client.call("history", request)).messages) {
        if (message.seq === seq) chat.print(messageLine(message));
      }
      return;
    }
    case "password-link":
      return await passwordLink(chat, bareAccount(requireText(first, "password-link")));
    case "unsent":
      return unsent(chat, rest);
    case "status":
      return await status(chat);
    case "quit":
      return chat.quit();
  }
}
