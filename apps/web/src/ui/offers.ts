// What is offered for what is being typed: members of the room after `@`, emoji after `:`.
import type { Room } from "@parley/client/browser";
import { useEffect, useMemo, useState } from "react";
import type { Chat } from "../chat/chat.ts";
import { type Completable, candidates } from "./completion.ts";
import { emojiCandidates, emojiTable, type NamedEmoji } from "./emoji.ts";
import { plainName } from "./format.ts";

export interface Offer {
  /** What comes into the text. */
  readonly word: string;
  /** What is shown: the sign, and the name beside it. */
  readonly sign: string;
  readonly name: string;
}

const NONE: readonly Offer[] = [];

export function useOffers(
  chat: Chat,
  room: Room,
  begun: Completable | undefined,
): readonly Offer[] {
  const members = useMemberNames(chat, room, begun?.kind === "member");
  const named = useNamedEmoji(begun?.kind === "emoji");
  const kind = begun?.kind;
  const letters = begun?.begun ?? "";
  return useMemo(() => {
    switch (kind) {
      case undefined:
        return NONE;
      case "member":
        return candidates(members, letters).map((name) => ({
          word: `@${name}`,
          sign: "@",
          name: plainName(name),
        }));
      case "emoji":
        return emojiCandidates(named, letters).map(({ emoji, names }) => ({
          word: emoji,
          sign: emoji,
          name: `:${names[0]}:`,
        }));
    }
  }, [kind, letters, members, named]);
}

const MEMBERS_MAX = 200;

/** Asked for once, when the first `@` is typed; without an answer nothing is offered. */
function useMemberNames(chat: Chat, room: Room, isWanted: boolean): readonly string[] {
  const [names, setNames] = useState<readonly string[]>([]);
  const { id, memberCount } = room;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another number of members is another list
  useEffect(() => {
    if (!isWanted) return;
    chat.client.call("listMembers", { roomId: id, pageSize: MEMBERS_MAX }).then(
      ({ members }) =>
        setNames(["room", ...members.flatMap(({ account }) => account?.username ?? [])]),
      () => {},
    );
  }, [chat, id, memberCount, isWanted]);
  return names;
}

/** Loaded when the first `:` is typed; where it can't be, nothing is offered. */
function useNamedEmoji(isWanted: boolean): readonly NamedEmoji[] {
  const [named, setNamed] = useState<readonly NamedEmoji[]>([]);
  useEffect(() => {
    if (!isWanted) return;
    emojiTable().then(
      (table) => setNamed(table.named),
      () => {},
    );
  }, [isWanted]);
  return named;
}
