// What a line of input means.

export const CHAT_COMMANDS = [
  { name: "help", usage: "/help", text: "this list" },
  { name: "rooms", usage: "/rooms", text: "your rooms, and the public ones you can join" },
  {
    name: "join",
    usage: "/join ROOM",
    text: "open a room; joins it first where you are not in it; an invite's link does as well",
  },
  { name: "create", usage: "/create ROOM [private]", text: "make a room" },
  { name: "dm", usage: "/dm ACCOUNT [TEXT]", text: "open the conversation with somebody" },
  { name: "who", usage: "/who", text: "who is in this room" },
  { name: "history", usage: "/history [N]", text: "N earlier messages; again for those before" },
  {
    name: "search",
    usage: "/search WORDS",
    text: "find messages, also by from:@name in:#room before: after: has:link; alone, earlier ones",
  },
  { name: "unread", usage: "/unread", text: "what waits where" },
  { name: "read", usage: "/read", text: "mark this room as read; /read all marks every room" },
  { name: "seen", usage: "/seen", text: "how far the others in this room have read" },
  {
    name: "receipts",
    usage: "/receipts [on|off]",
    text: "whether others see how far you have read, and you see it of them",
  },
  { name: "reply", usage: "/reply N TEXT", text: "answer message N" },
  {
    name: "attach",
    usage: "/attach FILE [TEXT]",
    text: "send a file of this machine; quotes around a name with spaces",
  },
  {
    name: "save",
    usage: "/save N [FOLDER]",
    text: "save the files of message N, here or in a folder",
  },
  {
    name: "thread",
    usage: "/thread N [TEXT]",
    text: "the replies in the thread of message N; with a text, one more",
  },
  { name: "follow", usage: "/follow N [off]", text: "be told of the replies in a thread, or not" },
  { name: "edit", usage: "/edit N TEXT", text: "change what message N says" },
  { name: "react", usage: "/react N EMOJI", text: "give message N an emoji; again takes it back" },
  {
    name: "pin",
    usage: "/pin N [off]",
    text: "pin message N for everybody to find; with off, unpin it",
  },
  { name: "pins", usage: "/pins", text: "what is pinned in this room" },
  { name: "delete", usage: "/delete N …", text: "delete messages" },
  { name: "invite", usage: "/invite ACCOUNT", text: "bring somebody into this room" },
  {
    name: "invite-link",
    usage: "/invite-link [DAYS] [USES]",
    text: "a link by which others come into this room; 0 = for ever, for any number",
  },
  {
    name: "invite-links",
    usage: "/invite-links [revoke ID]",
    text: "the links into this room; with revoke, end one",
  },
  { name: "kick", usage: "/kick ACCOUNT [ban]", text: "remove somebody; with ban, for good" },
  {
    name: "mute-member",
    usage: "/mute-member ACCOUNT [TIME|off]",
    text: "for admins: forbid somebody to write here, for 90m, 2h, 7d or until off",
  },
  { name: "star", usage: "/star [off]", text: "this room stands first; on all your devices" },
  {
    name: "mute",
    usage: "/mute [off]",
    text: "be shown and told of what mentions you here only; on all your devices",
  },
  { name: "topic", usage: "/topic TEXT", text: "what this room is about" },
  { name: "rename", usage: "/rename NAME", text: "for admins: give this room another name" },
  {
    name: "role",
    usage: "/role ACCOUNT member|admin|owner",
    text: "for owners: what somebody is in this room",
  },
  {
    name: "delete-room",
    usage: "/delete-room NAME",
    text: "for owners: delete this room, for everybody",
  },
  { name: "leave", usage: "/leave", text: "leave this room" },
  {
    name: "accounts",
    usage: "/accounts [PATTERN]",
    text: "who is registered; * stands for any letters",
  },
  {
    name: "name",
    usage: "/name [NAME]",
    text: "the name that others see of you; with one: change it",
  },
  {
    name: "sessions",
    usage: "/sessions [end ID]",
    text: "where you are signed in; with end, no longer there",
  },
  {
    name: "registration",
    usage: "/registration [open|invite-only|closed]",
    text: "who may make an account; for the instance's owner: change it",
  },
  {
    name: "block",
    usage: "/block [ACCOUNT [off]]",
    text: "take nothing from somebody; with off, take that back; alone, whom you have blocked",
  },
  { name: "show", usage: "/show N", text: "message N, whoever it is from" },
  {
    name: "password-link",
    usage: "/password-link ACCOUNT",
    text: "for the instance's owner: a link by which somebody sets their password, once",
  },
  {
    name: "unsent",
    usage: "/unsent [cancel|drop]",
    text: "messages on their way; with cancel, take them back; with drop, forget the failed ones",
  },
  { name: "status", usage: "/status", text: "the nodes, as this one sees them" },
  { name: "quit", usage: "/quit", text: "end" },
] as const;

export type ChatCommandName = (typeof CHAT_COMMANDS)[number]["name"];

export type Input =
  | { readonly kind: "nothing" }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "command"; readonly name: ChatCommandName; readonly rest: string }
  | { readonly kind: "unknown"; readonly word: string };

/** `//` at the start stands for a text that starts with a slash. */
export function parseInput(line: string): Input {
  const trimmed = line.trim();
  if (trimmed === "") return { kind: "nothing" };
  if (trimmed.startsWith("//")) return { kind: "text", text: trimmed.slice(1) };
  if (!trimmed.startsWith("/")) return { kind: "text", text: line };
  const [word = "", ...rest] = trimmed.slice(1).split(/\s+/);
  const found = CHAT_COMMANDS.find(({ name }) => name === word.toLowerCase());
  if (found === undefined) return { kind: "unknown", word };
  // The rest as it was typed, not as its words: texts keep their spaces.
  const text = rest.length === 0 ? "" : trimmed.slice(1 + word.length).trimStart();
  return { kind: "command", name: found.name, rest: text };
}

/** `"a name" some words` → ["a name", "some words"]; quotes are for names with spaces. */
export function splitQuoted(text: string): readonly [string, string] {
  const match = /^"([^"]+)"\s*([\s\S]*)$/.exec(text);
  return match === null ? splitFirst(text) : [match[1] ?? "", match[2] ?? ""];
}

/** "3 some words" → ["3", "some words"]. */
export function splitFirst(text: string): readonly [string, string] {
  const match = /^(\S*)\s*([\s\S]*)$/.exec(text);
  return [match?.[1] ?? "", match?.[2] ?? ""];
}
