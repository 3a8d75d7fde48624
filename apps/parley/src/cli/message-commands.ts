// Messages: send, read, follow.
import { createInterface } from "node:readline";
import type { OutboxFile, ParleyClient } from "@parley/client";
import {
  Consistency,
  type Event,
  LIMITS,
  type Message,
  ParleyError,
  type Room,
} from "@parley/protocol";
import type { Command } from "commander";
import { wholeNumber } from "./arguments.ts";
import { addAccountOptions, output } from "./common-options.ts";
import { type CommonFlags, withAccount } from "./connection.ts";
import { uploadPath } from "./files.ts";
import {
  mentionsText,
  messageLine,
  printable,
  reactionsText,
  searchLine,
  staleRemark,
  unreadText,
} from "./format.ts";
import { chatJson } from "./json.ts";
import { listRooms, messageOf, ownRoom, roomTitle } from "./rooms.ts";
import { UsageError } from "./usage-error.ts";

const SEQ = wholeNumber(1, Number.MAX_SAFE_INTEGER);
/** Lines of standard input that are on their way at once. */
const IN_FLIGHT_MAX = 256;

interface SendFlags extends CommonFlags {
  readonly replyTo?: number;
  readonly thread?: number;
  readonly id?: string;
  readonly file?: readonly string[];
  readonly stdin: boolean;
}

async function sendOne(
  client: ParleyClient,
  roomId: number,
  body: string,
  flags: SendFlags,
  deadlineMs: number,
  files: readonly OutboxFile[] = [],
): Promise<{ readonly message: Message; readonly replicas: number }> {
  const queued = client.enqueue(roomId, body, {
    replyToSeq: flags.replyTo,
    threadRootSeq: flags.thread,
    files: files.length === 0 ? undefined : files,
    clientMessageId: flags.id,
    signal: AbortSignal.timeout(deadlineMs),
  });
  try {
    return await queued.committed;
  } catch (cause) {
    const error = ParleyError.from(cause);
    if (error.reason !== "CANCELLED") throw error;
    throw new ParleyError(
      "OUTCOME_UNKNOWN",
      `No answer within ${deadlineMs / 1_000} s. Repeat it with --id ${queued.clientMessageId}: then it is stored once, whatever became of this try.`,
    );
  }
}

function showSent(room: Room, sent: { message: Message; replicas: number }, asJson: boolean): void {
  output(
    asJson,
    () => chatJson(sent),
    () => [`#${sent.message.seq} in ${roomTitle(room)}, on ${sent.replicas} nodes`],
  );
}

/** Each line of standard input as a message, in order, many on their way at once. */
async function sendLines(client: ParleyClient, room: Room, flags: SendFlags, deadlineMs: number) {
  const underWay = new Set<Promise<void>>();
  const failures: unknown[] = [];
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === "") continue;
    const one = sendOne(client, room.id, line, flags, deadlineMs).then(
      (sent) => showSent(room, sent, flags.json),
      (error: unknown) => void failures.push(error),
    );
    underWay.add(one);
    void one.finally(() => underWay.delete(one));
    if (underWay.size >= IN_FLIGHT_MAX) await Promise.race(underWay);
    if (failures.length > 0) break;
  }
  await Promise.all(underWay);
  if (failures.length > 0) throw failures[0];
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function addSend(program: Command): void {
  addAccountOptions(program.command("send"))
    .description("send a message")
    .argument("<room>", "its name or number, or @account")
    .argument("[text...]", "the message")
    .option("--reply-to <n>", "number of the message that it answers", SEQ)
    .option("--thread <n>", "number of the message to whose thread it belongs", SEQ)
    .option("--id <id>", "its client message id; a repeat with the same one is stored once")
    .option("--file <path>", "a file that goes with it; again for more, at most 8", collect)
    .option("--stdin", "send each line of standard input", false)
    .action(async (reference: string, words: readonly string[], flags: SendFlags) => {
      const { file: paths = [] } = flags;
      if (!flags.stdin && words.length === 0 && paths.length === 0) {
        throw new UsageError("Give the text to send, or a file.");
      }
      if (flags.stdin && paths.length > 0) {
        throw new UsageError("--file goes with one message, and not with --stdin.");
      }
      if (paths.length > LIMITS.filesPerMessageMax) {
        throw new UsageError(`A message has at most ${LIMITS.filesPerMessageMax} files.`);
      }
      if (flags.stdin && flags.id !== undefined) {
        throw new UsageError("--id names one message; it does not go with --stdin.");
      }
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const room = await roomToSendTo(client, reference, deadlineMs);
        if (flags.stdin) await sendLines(client, room, flags, deadlineMs);
        else {
          const files: OutboxFile[] = [];
          for (const path of paths) files.push(await uploadPath(client, path));
          const body = words.join(" ");
          const sent = await sendOne(client, room.id, body, flags, deadlineMs, files);
          showSent(room, sent, flags.json);
        }
      });
    });

  addAccountOptions(program.command("dm"))
    .description("open the direct conversation with somebody, and say something")
    .argument("<account>")
    .argument("[text...]", "the message")
    .action(async (username: string, words: readonly string[], flags: CommonFlags) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const room = await openDirect(client, username, deadlineMs);
        if (words.length === 0) {
          output(
            flags.json,
            () => chatJson({ room }),
            () => [`The conversation with ${username} is room ${room.id}.`],
          );
          return;
        }
        const sendFlags = { ...flags, stdin: false };
        showSent(
          room,
          await sendOne(client, room.id, words.join(" "), sendFlags, deadlineMs),
          flags.json,
        );
      });
    });
}

async function openDirect(client: ParleyClient, username: string, deadlineMs: number) {
  const bare = username.replace(/^@/, "");
  const { room } = await client.call("openDirect", { username: bare }, { deadlineMs });
  if (room === undefined) throw new ParleyError("INTERNAL", "the server sent no room");
  return room;
}

async function roomToSendTo(client: ParleyClient, reference: string, deadlineMs: number) {
  if (reference.startsWith("@")) return await openDirect(client, reference, deadlineMs);
  return await ownRoom(client, reference, deadlineMs);
}

interface HistoryFlags extends CommonFlags {
  readonly limit: number;
  readonly before?: number;
  readonly after?: number;
  readonly linearizable: boolean;
}

function addHistory(program: Command): void {
  addAccountOptions(program.command("history"))
    .description("read a room's messages")
    .argument("<room>", "its name or number, or @account")
    .option(
      "--limit <n>",
      "how many",
      wholeNumber(1, LIMITS.historyPageMax),
      LIMITS.historyPageDefault,
    )
    .option("--before <n>", "those before this message", SEQ)
    .option("--after <n>", "those after this message", SEQ)
    .option("--linearizable", "as new as everything that was acknowledged anywhere", false)
    .action(async (reference: string, flags: HistoryFlags) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const room = await ownRoom(client, reference, deadlineMs);
        const request = {
          roomId: room.id,
          limit: flags.limit,
          beforeSeq: flags.before ?? 0,
          afterSeq: flags.after ?? 0,
          consistency: flags.linearizable
            ? Consistency.CONSISTENCY_LINEARIZABLE
            : Consistency.CONSISTENCY_LOCAL,
        };
        const reply = await client.call("history", request, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => [
            ...[staleRemark(reply.staleMs)].filter((line) => line !== undefined),
            ...reply.messages.map((message) => messageLine(message)),
          ],
        );
      });
    });

  addThread(program);

  addAccountOptions(program.command("unread"))
    .description("count unread messages")
    .action(async (flags: CommonFlags) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const reply = await client.call("unread", {}, { deadlineMs });
        const names = new Map<number, string>();
        if (!flags.json) {
          const { rooms } = await client.call("listRooms", {}, { deadlineMs });
          for (const room of rooms) names.set(room.id, roomTitle(room));
        }
        const waiting = reply.rooms.filter((room) => room.unreadCount > 0);
        output(
          flags.json,
          () => chatJson(reply),
          () => [
            ...[staleRemark(reply.staleMs)].filter((line) => line !== undefined),
            unreadText(reply),
            ...waiting.map((one) => {
              const name = printable(names.get(one.roomId) ?? `room ${one.roomId}`);
              return `  ${String(one.unreadCount).padStart(5)}  ${name}${mentionsText(one.mentionCount)}`;
            }),
          ],
        );
      });
    });
}

interface SearchFlags extends CommonFlags {
  readonly limit: number;
  readonly token?: string;
}

function addSearch(program: Command): void {
  addAccountOptions(program.command("search"))
    .description("find messages by words and filters, the newest first")
    .argument(
      "<query...>",
      'words, "phrases" and beginnings*, from:@name in:#room before:2026-01-31 after:2026-01-31 (UTC) has:link|mention|reaction|pin',
    )
    .option(
      "--limit <n>",
      "how many",
      wholeNumber(1, LIMITS.searchPageMax),
      LIMITS.searchPageDefault,
    )
    .option("--token <token>", "those after a page: its next_page_token")
    .action(async (words: readonly string[], flags: SearchFlags) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const request = { query: words.join(" "), pageSize: flags.limit, pageToken: flags.token };
        const reply = await client.search(request, { deadlineMs });
        if (flags.json)
          return output(
            true,
            () => chatJson(reply),
            () => [],
          );
        const { rooms } = await listRooms(client, { deadlineMs });
        const titles = new Map(rooms.map((room) => [room.id, roomTitle(room)]));
        output(
          false,
          () => "",
          () => [
            ...[staleRemark(reply.staleMs)].filter((line) => line !== undefined),
            ...reply.hits.map((hit) => searchLine(hit, titles.get(hit.message?.roomId ?? 0) ?? "")),
            ...(reply.nextPageToken === "" ? [] : [`More with --token ${reply.nextPageToken}`]),
          ],
        );
      });
    });
}

function addThread(program: Command): void {
  addAccountOptions(program.command("thread"))
    .description("read the replies in the thread of a message")
    .argument("<room>", "its name or number, or @account")
    .argument("<message>", "its number")
    .option(
      "--limit <n>",
      "how many",
      wholeNumber(1, LIMITS.historyPageMax),
      LIMITS.historyPageDefault,
    )
    .option("--before <n>", "those before this message", SEQ)
    .option("--after <n>", "those after this message", SEQ)
    .action(async (reference: string, word: string, flags: HistoryFlags) => {
      const threadRootSeq = SEQ(word.replace(/^#/, ""));
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const room = await ownRoom(client, reference, deadlineMs);
        const { limit, before: beforeSeq = 0, after: afterSeq = 0 } = flags;
        const request = { roomId: room.id, threadRootSeq, limit, beforeSeq, afterSeq };
        const reply = await client.call("thread", request, { deadlineMs });
        const shown = reply.root === undefined ? reply.messages : [reply.root, ...reply.messages];
        output(
          flags.json,
          () => chatJson(reply),
          () => [
            ...[staleRemark(reply.staleMs)].filter((line) => line !== undefined),
            ...shown.map((message) => messageLine(message)),
          ],
        );
      });
    });

  addAccountOptions(program.command("follow"))
    .description("be told of the replies in the thread of a message")
    .argument("<room>", "its name or number, or @account")
    .argument("<message>", "its number")
    .option("--remove", "follow it no more", false)
    .action(async (reference: string, word: string, flags: PinFlags) => {
      const seq = SEQ(word.replace(/^#/, ""));
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const room = await ownRoom(client, reference, deadlineMs);
        const request = { roomId: room.id, seq, follow: !flags.remove };
        const reply = await client.call("followThread", request, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => [`You ${reply.followed === undefined ? "do not follow" : "follow"} #${seq}.`],
        );
      });
    });
}

interface PinFlags extends CommonFlags {
  readonly remove: boolean;
}

function addPins(program: Command): void {
  addAccountOptions(program.command("pin"))
    .description("pin a message to its room, for everybody to find")
    .argument("<room>", "its name or number, or @account")
    .argument("<message>", "its number")
    .option("--remove", "unpin it", false)
    .action(async (reference: string, word: string, flags: PinFlags) => {
      const seq = SEQ(word.replace(/^#/, ""));
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const room = await ownRoom(client, reference, deadlineMs);
        const request = { roomId: room.id, seq, pinned: !flags.remove };
        const reply = await client.call("pin", request, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => [`#${seq} is ${flags.remove ? "not " : ""}pinned.`],
        );
      });
    });

  addAccountOptions(program.command("pins"))
    .description("a room's pinned messages, the one pinned last first")
    .argument("<room>", "its name or number, or @account")
    .action(async (reference: string, flags: CommonFlags) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const room = await ownRoom(client, reference, deadlineMs);
        const reply = await client.call("listPins", { roomId: room.id }, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => [
            ...[staleRemark(reply.staleMs)].filter((line) => line !== undefined),
            ...reply.messages.map((message) => messageLine(message)),
          ],
        );
      });
    });
}

interface ReadFlags extends CommonFlags {
  readonly thread?: number;
}

interface ReactFlags extends CommonFlags {
  readonly remove: boolean;
}

function addChanges(program: Command): void {
  addAccountOptions(program.command("read"))
    .description("mark a room as read")
    .argument("<room>", "its name or number, or @account")
    .argument("[message]", "up to this message (default: all)", SEQ)
    .option("--thread <n>", "in the thread of this message, which you follow", SEQ)
    .action(async (reference: string, seq: number | undefined, flags: ReadFlags) => {
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const room = await ownRoom(client, reference, deadlineMs);
        const { thread: threadRootSeq = 0 } = flags;
        const request = { roomId: room.id, seq: seq ?? room.lastSeq, threadRootSeq };
        const reply = await client.call("markRead", request, { deadlineMs });
        const where = threadRootSeq === 0 ? roomTitle(room) : `The thread of #${threadRootSeq}`;
        output(
          flags.json,
          () => chatJson(reply),
          () => [
            threadRootSeq > 0 && reply.readSeq === 0
              ? `You do not follow #${threadRootSeq}.`
              : `${where} is read up to #${reply.readSeq}.`,
          ],
        );
      });
    });

  addAccountOptions(program.command("edit"))
    .description("change what one of your messages says")
    .argument("<room>", "its name or number, or @account")
    .argument("<message>", "its number")
    .argument("<text...>", "what it says from now on")
    .action(
      async (reference: string, word: string, words: readonly string[], flags: CommonFlags) => {
        const seq = SEQ(word.replace(/^#/, ""));
        await withAccount(flags, async ({ client, deadlineMs }) => {
          const room = await ownRoom(client, reference, deadlineMs);
          const expectedVersion = await versionOf(client, room.id, seq, deadlineMs);
          const request = { roomId: room.id, seq, body: words.join(" "), expectedVersion };
          const reply = await client.call("edit", request, { deadlineMs });
          output(
            flags.json,
            () => chatJson(reply),
            () => (reply.message === undefined ? [] : [messageLine(reply.message)]),
          );
        });
      },
    );

  addAccountOptions(program.command("react"))
    .description("give a message an emoji, or take it back")
    .argument("<room>", "its name or number, or @account")
    .argument("<message>", "its number")
    .argument("<emoji>")
    .option("--remove", "take it back", false)
    .action(async (reference: string, word: string, emoji: string, flags: ReactFlags) => {
      const seq = SEQ(word.replace(/^#/, ""));
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const room = await ownRoom(client, reference, deadlineMs);
        const request = { roomId: room.id, seq, emoji, add: !flags.remove };
        const reply = await client.call("react", request, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => [`#${seq} has ${reactionsText(reply.reactions) || "no reactions"}.`],
        );
      });
    });

  addPins(program);

  addAccountOptions(program.command("delete"))
    .description("delete messages")
    .argument("<room>", "its name or number, or @account")
    .argument("<message...>", "their numbers")
    .action(async (reference: string, words: readonly string[], flags: CommonFlags) => {
      const seqs = words.map((word) => SEQ(word.replace(/^#/, "")));
      await withAccount(flags, async ({ client, deadlineMs }) => {
        const room = await ownRoom(client, reference, deadlineMs);
        const request = { roomId: room.id, seqs };
        const reply = await client.call("delete", request, { deadlineMs });
        output(
          flags.json,
          () => chatJson(reply),
          () => [`${reply.deletedCount} deleted.`],
        );
      });
    });
}

/** How often a message has been edited; what is not there is refused by the edit itself. */
export async function versionOf(
  client: ParleyClient,
  roomId: number,
  seq: number,
  deadlineMs?: number,
): Promise<number> {
  return (await messageOf(client, roomId, seq, deadlineMs))?.version ?? 0;
}

/** What people see of an event; undefined = nothing. */
function eventLine(event: Event): string | undefined {
  const { event: what } = event;
  switch (what?.$case) {
    case "message":
      return `[room ${what.value.roomId}] ${messageLine(what.value)}`;
    case "messageChanged":
      return `[room ${what.value.roomId}] changed: ${messageLine(what.value)}`;
    case "roomReset":
      return `you are in ${printable(what.value.room === undefined ? "?" : roomTitle(what.value.room))}`;
    case "roomRemoved":
      return `you are out of room ${what.value.roomId}`;
    default:
      return undefined;
  }
}

interface SubscribeFlags extends CommonFlags {
  readonly after?: number;
  readonly count?: number;
}

function addSubscribe(program: Command): void {
  addAccountOptions(program.command("subscribe"))
    .description("follow everything that you may see, as it happens")
    .option(
      "--after <revision>",
      "from after this revision (0: everything from the beginning); default: from now on",
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
    )
    .option("--count <n>", "end after so many events", wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .action(async (flags: SubscribeFlags) => {
      await withAccount(flags, async ({ client }) => {
        const end = new AbortController();
        process.once("SIGINT", () => end.abort());
        const subscription = client.subscribe({ afterRevision: flags.after, signal: end.signal });
        let left = flags.count ?? Number.POSITIVE_INFINITY;
        for await (const item of subscription) {
          if (item.kind === "resync") {
            process.stderr.write(`The past is no longer at hand (${item.reason}).\n`);
            continue;
          }
          const line = flags.json ? chatJson(item.event) : eventLine(item.event);
          if (line !== undefined) process.stdout.write(`${line}\n`);
          left -= 1;
          if (left <= 0) break;
        }
      });
    });
}

export function addMessageCommands(program: Command): void {
  addSend(program);
  addHistory(program);
  addSearch(program);
  addChanges(program);
  addSubscribe(program);
}
