import { LIMITS, RoomVisibility } from "@parley/client/browser";
import { type FormEvent, useId, useState } from "react";
import { sayProblem } from "../text/problem-text.ts";
import { t } from "../text/t.ts";
import { useChat } from "./chat-context.ts";
import { Modal } from "./modal.tsx";
import { goTo } from "./route.ts";

export function NewRoom({ onClose }: { readonly onClose: () => void }) {
  const chat = useChat();
  const [problem, setProblem] = useState("");
  const [isBusy, setIsBusy] = useState(false);
  const ids = { name: useId(), topic: useId(), secret: useId() };
  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setIsBusy(true);
    setProblem("");
    try {
      const { room } = await chat.client.call("createRoom", {
        name: String(form.get("name") ?? "").trim(),
        topic: String(form.get("topic") ?? "").trim(),
        visibility:
          form.get("private") === "on"
            ? RoomVisibility.ROOM_VISIBILITY_PRIVATE
            : RoomVisibility.ROOM_VISIBILITY_PUBLIC,
      });
      onClose();
      goTo(room?.id ?? 0);
    } catch (cause) {
      sayProblem(cause, setProblem);
      setIsBusy(false);
    }
  }
  return (
    <Modal title={t("newRoom.title")} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <label htmlFor={ids.name}>{t("newRoom.name")}</label>
        <input
          id={ids.name}
          name="name"
          required
          maxLength={LIMITS.roomNameBytesMax}
          autoComplete="off"
          data-first-focus
        />
        <label htmlFor={ids.topic}>{t("newRoom.topic")}</label>
        <input id={ids.topic} name="topic" maxLength={LIMITS.topicBytesMax} autoComplete="off" />
        <label className="check" htmlFor={ids.secret}>
          <input id={ids.secret} name="private" type="checkbox" /> {t("newRoom.private")}
        </label>
        {problem !== "" && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        <button className="primary" type="submit" disabled={isBusy}>
          {t("newRoom.create")}
        </button>
      </form>
    </Modal>
  );
}
