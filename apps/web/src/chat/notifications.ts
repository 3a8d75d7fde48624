// Tells of new messages while nobody looks at the page. Several tabs say it once: a notification of the same tag takes the place of the one before.
import {
  followedThread,
  type Message,
  mentionsAccount,
  type Room,
  RoomVisibility,
} from "@parley/client/browser";
import { t } from "../text/t.ts";
import type { Chat } from "./chat.ts";

export const NOTIFY = ["none", "mentions", "all"] as const;
export type Notify = (typeof NOTIFY)[number];

const KEY = "parley:notify";
const TEXT_CHARACTERS_MAX = 140;
/** What is older, such as what came while this device slept, is counted, not told. */
const AGE_MS_MAX = 60_000;

export function canNotify(): boolean {
  return "Notification" in globalThis;
}

export function notifyChoice(): Notify {
  try {
    const saved = localStorage.getItem(KEY);
    return NOTIFY.find((one) => one === saved) ?? "none";
  } catch {
    return "none";
  }
}

/** Asks the browser for leave when it is needed. Resolves with what holds now. */
export async function chooseNotify(choice: Notify): Promise<Notify> {
  let chosen = choice;
  if (
    chosen !== "none" &&
    (!canNotify() || (await Notification.requestPermission()) !== "granted")
  ) {
    chosen = "none";
  }
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // Forbidden storage: it holds for nobody.
  }
  return chosen;
}

/** A reply in a thread is for those who follow it, or whom it mentions by name. */
function concerns(room: Room, { threadRootSeq, mentions }: Message, accountId: number): boolean {
  if (threadRootSeq === 0 || mentions.includes(accountId)) return true;
  return followedThread(room, threadRootSeq) !== undefined;
}

/** Returns how to stop it. */
export function notifyOf(chat: Chat, open: (message: Message) => void): () => void {
  return chat.sync.onEvents((events) => {
    const choice = notifyChoice();
    if (choice === "none" || !canNotify() || Notification.permission !== "granted") return;
    if (document.visibilityState === "visible" && document.hasFocus()) return;
    const nowMs = Date.now() + chat.client.state.clockOffsetMs;
    for (const { event } of events) {
      if (event?.$case !== "message") continue;
      const message = event.value;
      if (message.authorId === chat.accountId || nowMs - message.sentAtMs > AGE_MS_MAX) continue;
      if (chat.blocked.getSnapshot().has(message.authorId)) continue;
      const { rooms } = chat.sync.rooms.getSnapshot();
      const room = rooms.find(({ id }) => id === message.roomId);
      const isDirect = room?.visibility === RoomVisibility.ROOM_VISIBILITY_DIRECT;
      const isForMe = mentionsAccount(message, chat.accountId);
      if (room === undefined || (room.muted && !isForMe)) continue;
      if (choice === "mentions" && !isDirect && !isForMe) continue;
      if (!concerns(room, message, chat.accountId)) continue;
      const { author } = message;
      const title = isDirect ? author : t("notification.title", { author, room: room.name });
      const notification = new Notification(title, {
        body: message.body.slice(0, TEXT_CHARACTERS_MAX),
        tag: `${message.roomId}:${message.seq}`,
        icon: "/icon.svg",
      });
      notification.onclick = () => {
        window.focus();
        open(message);
        notification.close();
      };
    }
  });
}
