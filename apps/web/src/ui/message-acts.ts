// What can be done with a message wherever it stands: in its room, or in a thread.
import { type Room, RoomRole } from "@parley/client/browser";
import type { Chat } from "../chat/chat.ts";
import { sayProblem } from "../text/problem-text.ts";
import { t } from "../text/t.ts";
import { isDirect } from "./format.ts";
import type { MessageActs } from "./message-row.tsx";

export function isRoomAdmin(room: Room): boolean {
  return !isDirect(room) && room.role >= RoomRole.ROOM_ROLE_ADMIN;
}

/** Those that the servers do. */
export function serverActs(
  chat: Chat,
  roomId: number,
  mayPin: boolean,
  onProblem: (text: string) => void,
): Pick<MessageActs, "remove" | "react" | "pin"> {
  const trying = (action: Promise<unknown>) => {
    action.catch((cause: unknown) => sayProblem(cause, onProblem));
  };
  return {
    remove: ({ seq }) => {
      if (!confirm(t("message.confirmDelete"))) return;
      trying(chat.client.call("delete", { roomId, seqs: [seq] }));
    },
    react: ({ seq }, emoji, add) => trying(chat.client.call("react", { roomId, seq, emoji, add })),
    pin: mayPin
      ? ({ seq, pinned }) => trying(chat.client.call("pin", { roomId, seq, pinned: !pinned }))
      : undefined,
  };
}
