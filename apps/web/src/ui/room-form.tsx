// Another name or topic for a room.
import { LIMITS, type Room } from "@parley/client/browser";
import { type FormEvent, useId } from "react";
import { t } from "../text/t.ts";
import { useChat } from "./chat-context.ts";

interface RoomFormProps {
  readonly room: Room;
  readonly act: (what: string, action: () => Promise<unknown>) => Promise<void>;
}

/** For admins. What is left empty stays as it is. */
export function RoomForm({ room, act }: RoomFormProps) {
  const chat = useChat();
  const ids = { name: useId(), topic: useId() };
  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const name = String(form.get("name") ?? "").trim();
    const topic = String(form.get("topic") ?? "").trim();
    void act(t("members.changed"), () =>
      chat.client.call("updateRoom", { roomId: room.id, name, topic }),
    );
  }
  return (
    <details>
      <summary>{t("members.change")}</summary>
      <form onSubmit={submit}>
        <label htmlFor={ids.name}>{t("newRoom.name")}</label>
        <input
          id={ids.name}
          name="name"
          defaultValue={room.name}
          maxLength={LIMITS.roomNameBytesMax}
          autoComplete="off"
        />
        <label htmlFor={ids.topic}>{t("newRoom.topic")}</label>
        <input
          id={ids.topic}
          name="topic"
          defaultValue={room.topic}
          maxLength={LIMITS.topicBytesMax}
          autoComplete="off"
        />
        <button type="submit">{t("members.save")}</button>
      </form>
    </details>
  );
}
