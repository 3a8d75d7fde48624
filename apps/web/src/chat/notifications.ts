// Tells of new messages while nobody looks at the chat in any tab of this browser, once, by the service worker where there is one: on a phone
// a page alone may not, and what the worker shows outlives the tab.
import {
  followedThread,
  type Message,
  mentionsAccount,
  type Room,
  RoomVisibility,
} from "@parley/client/browser";
import { t } from "../text/t.ts";
import type { Chat } from "./chat.ts";
import { canNotify, type Notify, notifyChoice, quietUntil } from "./notify-choice.ts";
import { TabAgreement } from "./tab-agreement.ts";

const TEXT_CHARACTERS_MAX = 140;
/** What is older, such as what came while this device slept, is counted, not told. */
const AGE_MS_MAX = 60_000;

/** As much of the chat as is looked at here. */
export type NotifiedChat = Pick<Chat, "accountId" | "scope" | "blocked"> & {
  readonly client: { readonly state: { readonly clockOffsetMs: number } };
  readonly sync: Pick<Chat["sync"], "onEvents" | "rooms">;
};

export interface NotifyOptions {
  /** Where a message is found; on every node alike. */
  readonly pathOf: (message: Message) => string;
  /** Goes there, in this tab. */
  readonly open: (path: string) => void;
}

interface News {
  readonly title: string;
  readonly body: string;
  /** Of the message, on every device. */
  readonly key: string;
  readonly path: string;
}

/** Returns how to stop it. */
export function notifyOf(chat: NotifiedChat, { pathOf, open }: NotifyOptions): () => void {
  const agreement = new TabAgreement({
    channel:
      typeof BroadcastChannel === "undefined"
        ? undefined
        : new BroadcastChannel(`parley-notify:${chat.scope}`),
    isLookedAt: () => document.visibilityState === "visible" && document.hasFocus(),
    id: `${Math.random()}`,
  });
  // The worker's word that its notification was clicked, and that this is the tab for it.
  const onWord = ({ data }: MessageEvent<unknown>) => {
    const path = pathIn(data);
    if (path !== undefined) open(path);
  };
  const worker = navigator.serviceWorker;
  worker?.addEventListener("message", onWord);
  const stop = chat.sync.onEvents((events) => {
    const choice = notifyChoice();
    if (choice === "none" || !canNotify() || Notification.permission !== "granted") return;
    if (quietUntil.getSnapshot() !== 0) return;
    for (const { event } of events) {
      if (event?.$case !== "message") continue;
      const message = event.value;
      const title = titleOf(chat, choice, message);
      if (title === undefined) continue;
      const key = `${message.roomId}:${message.seq}`;
      const body = message.body.slice(0, TEXT_CHARACTERS_MAX);
      const news = { title, body, key, path: pathOf(message) };
      void agreement.claim(key).then(async (isMine) => {
        if (isMine) await show(news, open);
      });
    }
  });
  return () => {
    stop();
    agreement.close();
    worker?.removeEventListener("message", onWord);
  };
}

/** Undefined: nobody is told of this message. */
function titleOf(chat: NotifiedChat, choice: Notify, message: Message): string | undefined {
  const nowMs = Date.now() + chat.client.state.clockOffsetMs;
  if (message.authorId === chat.accountId || nowMs - message.sentAtMs > AGE_MS_MAX) return;
  if (chat.blocked.getSnapshot().has(message.authorId)) return;
  const { rooms } = chat.sync.rooms.getSnapshot();
  const room = rooms.find(({ id }) => id === message.roomId);
  const isDirect = room?.visibility === RoomVisibility.ROOM_VISIBILITY_DIRECT;
  const isForMe = mentionsAccount(message, chat.accountId);
  if (room === undefined || (room.muted && !isForMe)) return;
  if (choice === "mentions" && !isDirect && !isForMe) return;
  if (!concerns(room, message, chat.accountId)) return;
  const { author } = message;
  return isDirect ? author : t("notification.title", { author, room: room.name });
}

/** A reply in a thread is for those who follow it, or whom it mentions by name. */
function concerns(room: Room, { threadRootSeq, mentions }: Message, accountId: number): boolean {
  if (threadRootSeq === 0 || mentions.includes(accountId)) return true;
  return followedThread(room, threadRootSeq) !== undefined;
}

async function show({ title, body, key, path }: News, open: (path: string) => void): Promise<void> {
  const options = { body, tag: key, icon: "/icon.svg", data: { path } };
  try {
    const registration = await navigator.serviceWorker?.getRegistration();
    if (registration?.active) {
      await registration.showNotification(title, options);
      return;
    }
    const notification = new Notification(title, options);
    notification.onclick = () => {
      window.focus();
      open(path);
      notification.close();
    };
  } catch (cause) {
    console.warn("This browser shows no notification:", cause);
  }
}

/** What the worker posts is `{open: path}`. */
function pathIn(data: unknown): string | undefined {
  if (typeof data !== "object" || data === null || !("open" in data)) return undefined;
  return typeof data.open === "string" ? data.open : undefined;
}
