// A muted room shows and notifies of nothing but what mentions one, on all of one's devices.
import type { Room } from "@parley/client/browser";
import { sayProblem } from "../text/problem-text.ts";
import { t } from "../text/t.ts";
import { useChat } from "./chat-context.ts";

interface MuteButtonProps {
  readonly room: Room;
  readonly onProblem: (problem: string) => void;
}

export function MuteButton({ room, onProblem }: MuteButtonProps) {
  const chat = useChat();
  const { id: roomId, muted } = room;
  return (
    <button
      type="button"
      className="quiet"
      aria-label={t("room.mute")}
      aria-pressed={muted}
      title={t(muted ? "room.muteOn" : "room.muteOff")}
      onClick={() => {
        chat.client
          .call("setRoomPreference", { roomId, muted: !muted })
          .catch((cause: unknown) => sayProblem(cause, onProblem));
      }}
    >
      <span aria-hidden="true">{muted ? "🔕" : "🔔"}</span>
    </button>
  );
}
