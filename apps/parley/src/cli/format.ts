// How messages, times and people look on a terminal.
import { stripVTControlCharacters } from "node:util";
import { snippetOf } from "@parley/client";
import type { Account, Message, Reaction, SearchHit, UnreadResponse } from "@parley/protocol";
import pc from "picocolors";
import { truncate } from "../terminal/width.ts";

/** What others wrote must not steer the terminal: escapes and control characters are shown, not obeyed. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (character) => (character === "\t" ? "    " : "\ufffd"),
  );
}

/** What is broken or continued stands so far to the right, under the message that it belongs to. */
export const BODY_INDENT = 8;

/** Bytes: 12 KiB, 3.4 MiB. */
export function size(bytes: number): string {
  if (bytes < 1024 * 1024) return `${Math.ceil(bytes / 1024)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

/** 14:03 */
export function clockTime(ms: number): string {
  return new Date(ms).toTimeString().slice(0, 5);
}

/** 14:03, or with the day when it is not today. */
export function shortTime(ms: number, nowMs = Date.now()): string {
  const date = new Date(ms);
  const time = clockTime(ms);
  if (date.toDateString() === new Date(nowMs).toDateString()) return time;
  const twoDigits = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;
  return `${day} ${time}`;
}

const DAY = new Intl.DateTimeFormat("en-GB", {
  weekday: "long",
  day: "numeric",
  month: "long",
  year: "numeric",
});

/** Thursday 26 November 2026, where the reader is. */
export function dayName(ms: number): string {
  return DAY.format(ms).replace(",", "");
}

const AUTHOR_COLOURS = [pc.cyan, pc.magenta, pc.yellow, pc.blue, pc.green, pc.red] as const;

export function authorText(authorId: number, author: string): string {
  const colour = AUTHOR_COLOURS[authorId % AUTHOR_COLOURS.length] ?? pc.white;
  return colour(printable(author));
}

export function bodyText(message: Message): string {
  if (message.deleted) return pc.dim("(deleted)");
  // The lines of one message stand under its first one.
  const body = printable(message.body).replaceAll("\n", `\n${" ".repeat(BODY_INDENT)}`);
  const edited = message.version === 0 ? "" : ` ${pc.dim("(edited)")}`;
  const reactions = reactionsText(message.reactions);
  const pinned = message.pinned ? ` ${pc.dim("(pinned)")}` : "";
  const words = [body, filesText(message)].filter((part) => part !== "").join("  ");
  return `${words}${edited}${pinned}${threadText(message)}${reactions === "" ? "" : `  ${pc.dim(reactions)}`}`;
}

/** 📎 report.pdf (12 KiB), 📎 photo.png (3.4 MiB) */
function filesText({ attachments }: Message): string {
  return attachments
    .map((file) => `📎 ${printable(file.name)} ${pc.dim(`(${size(file.size)})`)}`)
    .join(", ");
}

/** What is said of the thread under a message; empty where there is none. */
function threadText({ seq, thread }: Message): string {
  if (thread === undefined || thread.replyCount === 0) return "";
  const { replyCount, lastReplyAtMs } = thread;
  const replies = replyCount === 1 ? "1 reply" : `${replyCount} replies`;
  return `  ${pc.dim(`${replies}, ${clockTime(lastReplyAtMs)} (/thread ${seq})`)}`;
}

/** Empty where there are none. */
export function mentionsText(mentionCount: number): string {
  if (mentionCount === 0) return "";
  return pc.yellow(` (${mentionCount} ${mentionCount === 1 ? "mentions" : "mention"} you)`);
}

/** 3 unread (1 mentions you) */
export function unreadText(counts: Pick<UnreadResponse, "unreadCount" | "mentionCount">): string {
  return `${counts.unreadCount} unread${mentionsText(counts.mentionCount)}`;
}

/** 👍 3 🎉 1 */
export function reactionsText(reactions: readonly Reaction[]): string {
  return reactions.map(({ emoji, count }) => `${printable(emoji)} ${count}`).join(" ");
}

const QUOTE_COLUMNS = 40;

/** The first words of the message that another one answers. */
function quoteText(quoted: Message | undefined): string {
  if (quoted === undefined) return "";
  const [line = ""] = quoted.body.trim().split("\n");
  const words = quoted.deleted ? "(deleted)" : truncate(printable(line), QUOTE_COLUMNS);
  return ` ${printable(quoted.author)}: ${words}`;
}

/** `quoted`: what it answers, where that is known. */
export function messageLine(
  message: Message,
  time = shortTime(message.sentAtMs),
  quoted?: Message,
): string {
  const seq = pc.dim(`#${message.seq}`);
  const { replyToSeq, threadRootSeq } = message;
  const thread = threadRootSeq > 0 ? pc.dim(` (thread #${threadRootSeq})`) : "";
  const reply = replyToSeq > 0 ? pc.dim(` (to #${replyToSeq}${quoteText(quoted)})`) : "";
  const author = authorText(message.authorId, message.author);
  return `${pc.dim(time)} ${seq} ${author}${thread}${reply}: ${bodyText(message)}`;
}

/** `room`: its title; empty where it is not known. */
export function searchLine(hit: SearchHit, room: string): string {
  const { message } = hit;
  if (message === undefined) return "";
  const where = room === "" ? `[room ${message.roomId}]` : `[${printable(room)}]`;
  const snippet = snippetOf(hit).map(({ text, isMatch }) => {
    const safe = printable(text);
    return isMatch ? pc.bold(pc.yellow(safe)) : safe;
  });
  const author = authorText(message.authorId, message.author);
  const place = `${pc.dim(shortTime(message.sentAtMs))} ${where} ${pc.dim(`#${message.seq}`)}`;
  return `${place} ${author}: ${snippet.join("")}`;
}

export function accountText(account: Account): string {
  const name = printable(account.username);
  const display =
    account.displayName === account.username ? "" : ` (${printable(account.displayName)})`;
  return `${name}${pc.dim(display)}`;
}

export function lastSeen(account: Account): string {
  if (account.online) return pc.green("online");
  if (account.lastSeenMs === 0) return pc.dim("never seen");
  return pc.dim(`last seen ${shortTime(account.lastSeenMs)}`);
}

/** A remark above data that may be old; undefined when it is fresh. */
export function staleRemark(staleMs: number): string | undefined {
  if (staleMs <= 0) return undefined;
  return pc.yellow(`No majority of the servers answers; this is ${formatAge(staleMs)} old.`);
}

export function formatAge(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}
