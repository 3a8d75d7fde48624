// The signed-in chat, for everything below the shell.

import {
  type Account,
  type Attachment,
  type Health,
  LIMITS,
  mayNotWrite,
  type OutboxItem,
  type Reader,
  type Room,
} from "@parley/client/browser";
import { createContext, useContext, useEffect, useState, useSyncExternalStore } from "react";
import type { Chat } from "../chat/chat.ts";
import type { ClusterPicture } from "../chat/cluster-watch.ts";
import type { MarkedRooms } from "../chat/unread-marks.ts";
import { dayLeftMs } from "./format.ts";

/** Shows a picture of a message large. */
export const ShowPictureContext = createContext<(file: Attachment) => void>(() => {});

export function useShowPicture(): (file: Attachment) => void {
  return useContext(ShowPictureContext);
}

export const ChatContext = createContext<Chat | undefined>(undefined);

export function useChat(): Chat {
  const chat = useContext(ChatContext);
  if (chat === undefined) throw new Error("no chat above this component");
  return chat;
}

export function useRooms(): { readonly loaded: boolean; readonly rooms: readonly Room[] } {
  const { rooms } = useChat().sync;
  return useSyncExternalStore(rooms.subscribe, rooms.getSnapshot);
}

export function useHealth(): Health {
  const { health } = useChat();
  return useSyncExternalStore(health.subscribe, health.getSnapshot);
}

export function useOutbox(): readonly OutboxItem[] {
  const { outbox } = useChat();
  return useSyncExternalStore(outbox.subscribe, outbox.getSnapshot);
}

/** What was marked unread in this browser. */
export function useMarkedRooms(): MarkedRooms {
  const { marks } = useChat();
  return useSyncExternalStore(marks.subscribe, marks.getSnapshot);
}

export function useBlocked(): ReadonlySet<number> {
  const { blocked } = useChat();
  return useSyncExternalStore(blocked.subscribe, blocked.getSnapshot);
}

/** How far the others in a small room have read, as far as they show it. */
export function useReaders({ id, memberCount }: Room): readonly Reader[] {
  const { readers } = useChat();
  const isSmall = memberCount <= LIMITS.receiptMembersMax;
  useEffect(() => (isSmall ? readers.watch(id) : undefined), [readers, id, isSmall]);
  return useSyncExternalStore(readers.subscribe, () => readers.of(id));
}

const TIMER_MS_MAX = 24 * 60 * 60 * 1000;

/** Whether an admin has forbidden this person to write in a room; ends by itself. */
export function useMayNotWrite(room: Room): boolean {
  const chat = useChat();
  const nowMs = serverNowMs(chat);
  const [, look] = useState(0);
  const isForbidden = mayNotWrite(room, nowMs);
  const leftMs =
    isForbidden && room.writeForbiddenUntilMs > 0 ? room.writeForbiddenUntilMs - nowMs : 0;
  useEffect(() => {
    if (leftMs <= 0) return;
    const timer = setTimeout(() => look((n) => n + 1), Math.min(leftMs + 50, TIMER_MS_MAX));
    return () => clearTimeout(timer);
  });
  return isForbidden;
}

export function useCluster(): ClusterPicture {
  const { cluster } = useChat();
  return useSyncExternalStore(cluster.subscribe, cluster.getSnapshot);
}

/** Whoever is shown is kept current for as long as they are. */
export function useShown(accountIds: readonly number[]): void {
  const { presences } = useChat();
  const key = accountIds.join();
  useEffect(() => presences.show(key === "" ? [] : key.split(",").map(Number)), [presences, key]);
}

/** An account as it is now, online or not, where that is told; else as it was when it was read. */
export function usePresent(account: Account | undefined): Account | undefined {
  const { presences } = useChat();
  const presence = useSyncExternalStore(presences.subscribe, () => presences.of(account?.id ?? 0));
  if (account === undefined || presence === undefined) return account;
  const { online, leftAtMs = account.lastSeenMs } = presence;
  return { ...account, online, lastSeenMs: leftAtMs };
}

const SKEW_SHOWN_MS = 1_000;

/** The servers' time, anew when their day turns or it is found to differ by more than thought; milliseconds since the Unix epoch. */
export function useServerNowMs(): number {
  const chat = useChat();
  const [, look] = useState(0);
  useEffect(() => {
    let offsetMs = chat.client.state.clockOffsetMs;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const arm = () => {
      clearTimeout(timer);
      timer = setTimeout(lookAgain, Math.min(dayLeftMs(serverNowMs(chat)), TIMER_MS_MAX));
    };
    const lookAgain = () => {
      look((n) => n + 1);
      arm();
    };
    const stop = chat.client.onState(({ clockOffsetMs }) => {
      if (Math.abs(clockOffsetMs - offsetMs) < SKEW_SHOWN_MS) return;
      offsetMs = clockOffsetMs;
      lookAgain();
    });
    arm();
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [chat]);
  return serverNowMs(chat);
}

/** The servers' time; this device's clock may be wrong by a day. Milliseconds since the Unix epoch. */
export function serverNowMs(chat: Chat): number {
  return Date.now() + chat.client.state.clockOffsetMs;
}
