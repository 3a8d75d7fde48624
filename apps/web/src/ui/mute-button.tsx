// A muted room shows and notifies of nothing but what mentions one, on all of one's devices.
import type { Room } from "@parley/client/browser";
import { useChat } from "./chat-context.ts";
import { problemText } from "./format.ts";

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
      aria-label="Mute this room"
      aria-pressed={muted}
      title={muted ? "Muted: you are told of mentions only" : "Mute: be told of mentions only"}
      onClick={() => {
        chat.client
          .call("setRoomPreference", { roomId, muted: !muted })
          .catch((cause: unknown) => onProblem(problemText(cause)));
      }}
    >
      <span aria-hidden="true">{muted ? "🔕" : "🔔"}</span>
    </button>
  );
}
