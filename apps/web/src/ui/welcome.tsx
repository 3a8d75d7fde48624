// Where no room is open: what to do next.
import { RoomVisibility } from "@parley/client/browser";
import { useState } from "react";
import { sayProblem } from "../text/problem-text.ts";
import { rich } from "../text/rich.ts";
import { t } from "../text/t.ts";
import { useChat, useRooms } from "./chat-context.ts";
import { goTo } from "./route.ts";
import type { Dialog } from "./shell.tsx";

interface WelcomeProps {
  readonly isLoaded: boolean;
  /** The address names a room that one is not in. */
  readonly isMissing: boolean;
  /** Why one is here. */
  readonly notice: string;
  readonly onDialog: (dialog: Dialog) => void;
}

export function Welcome({ isLoaded, isMissing, notice, onDialog }: WelcomeProps) {
  const chat = useChat();
  const { rooms } = useRooms();
  const [problem, setProblem] = useState("");
  async function start() {
    try {
      const { room } = await chat.client.call("createRoom", {
        name: "general",
        visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC,
      });
      goTo(room?.id ?? 0);
    } catch {
      // Somebody else was first: that is the room to be in.
      try {
        const found = await chat.client.call("listRooms", { public: true, pattern: "general" });
        const [room] = found.rooms;
        await chat.client.call("joinRoom", { roomId: room?.id ?? 0 });
        goTo(room?.id ?? 0);
      } catch (cause) {
        sayProblem(cause, setProblem);
      }
    }
  }
  if (!isLoaded)
    return (
      <div className="welcome">
        <h1 className="sr-only">{t("app.name")}</h1>
        <p role="status">{t("welcome.loading")}</p>
      </div>
    );
  return (
    <div className="welcome">
      {notice !== "" && (
        <p className="notice" role="status">
          {notice}
        </p>
      )}
      {isMissing && <p className="notice">{t("welcome.missing")}</p>}
      <h1>{rich("welcome.hello", { name: <bdi>{chat.signIn.username}</bdi> })}</h1>
      {rooms.length === 0 ? (
        <>
          <p>{t("welcome.first")}</p>
          <button type="button" className="primary" onClick={() => void start()}>
            {t("welcome.open")}
          </button>
        </>
      ) : (
        <p>{rich("welcome.choose", { keys: <kbd>Ctrl K</kbd> })}</p>
      )}
      <button type="button" className="quiet" onClick={() => onDialog("directory")}>
        {t("sidebar.find")}
      </button>
      <button type="button" className="quiet" onClick={() => onDialog("new-room")}>
        {t("welcome.newRoom")}
      </button>
      {problem !== "" && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}
