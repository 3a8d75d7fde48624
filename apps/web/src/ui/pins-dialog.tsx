import type { Message, Room } from "@parley/client/browser";
import { useEffect, useState } from "react";
import { sayProblem } from "../text/problem-text.ts";
import { t } from "../text/t.ts";
import { useChat } from "./chat-context.ts";
import { plainName, roomName } from "./format.ts";
import { wordsOf } from "./markdown.tsx";
import { Modal } from "./modal.tsx";
import { goToMessage } from "./route.ts";

interface PinsDialogProps {
  readonly room: Room;
  readonly onClose: () => void;
}

/** A room's pinned messages; a click leads to the message. */
export function PinsDialog({ room, onClose }: PinsDialogProps) {
  const chat = useChat();
  const [pins, setPins] = useState<readonly Message[]>();
  const [problem, setProblem] = useState("");
  useEffect(() => {
    chat.client.call("listPins", { roomId: room.id }).then(
      ({ messages }) => setPins(messages),
      (cause: unknown) => sayProblem(cause, setProblem),
    );
  }, [chat, room.id]);
  return (
    <Modal title={t("pins.title", { room: roomName(room, chat.accountId) })} onClose={onClose}>
      {problem !== "" && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {pins?.length === 0 && <p className="empty">{t("pins.empty")}</p>}
      <ul className="picks">
        {pins?.map((message) => (
          <li key={message.seq}>
            <button
              type="button"
              onClick={() => {
                onClose();
                goToMessage(message);
              }}
            >
              <bdi className="author">{plainName(message.author)}</bdi>
              <bdi>{wordsOf(message)}</bdi>
            </button>
          </li>
        ))}
      </ul>
    </Modal>
  );
}
