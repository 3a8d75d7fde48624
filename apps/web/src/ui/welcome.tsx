// Where no room is open: what to do next.
import { RoomVisibility } from "@parley/client/browser";
import { useState } from "react";
import { useChat, useRooms } from "./chat-context.ts";
import { problemText } from "./format.ts";
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
        setProblem(problemText(cause));
      }
    }
  }
  if (!isLoaded)
    return (
      <div className="welcome">
        <p role="status">Loading your rooms …</p>
      </div>
    );
  return (
    <div className="welcome">
      {notice !== "" && (
        <p className="notice" role="status">
          {notice}
        </p>
      )}
      {isMissing && (
        <p className="notice">
          You are not in that room. If it is public, you can find it in the directory.
        </p>
      )}
      <h1>
        Welcome, <bdi>{chat.signIn.username}</bdi>
      </h1>
      {rooms.length === 0 ? (
        <>
          <p>
            A room is where a conversation lives. Start the first one, or look for what is there.
          </p>
          <button type="button" className="primary" onClick={() => void start()}>
            Open #general
          </button>
        </>
      ) : (
        <p>
          Choose a room at the side, or press <kbd>Ctrl K</kbd> and type a few letters of its name.
        </p>
      )}
      <button type="button" className="quiet" onClick={() => onDialog("directory")}>
        Find rooms and people
      </button>
      <button type="button" className="quiet" onClick={() => onDialog("new-room")}>
        New room
      </button>
      {problem !== "" && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}
