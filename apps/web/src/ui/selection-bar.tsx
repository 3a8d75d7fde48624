// Choosing several messages: how many are chosen, and what can be done with them.
import { useEffect, useState } from "react";
import { sayProblem } from "../text/problem-text.ts";
import { t } from "../text/t.ts";
import { useChat } from "./chat-context.ts";
import { SELECTED_MAX } from "./selection.ts";

interface SelectionBarProps {
  readonly roomId: number;
  /** In their order. */
  readonly seqs: readonly number[];
  readonly onDone: () => void;
}

export function SelectionBar({ roomId, seqs, onDone }: SelectionBarProps) {
  const chat = useChat();
  const [isBusy, setIsBusy] = useState(false);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      // A dialog closes first.
      if (event.key === "Escape" && document.querySelector("dialog[open]") === null) onDone();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [onDone]);
  const count = seqs.length;
  async function remove() {
    if (!confirm(t("selection.confirm", { count }))) return;
    setIsBusy(true);
    setProblem("");
    try {
      await chat.client.call("delete", { roomId, seqs: [...seqs] });
      onDone();
    } catch (cause) {
      // What was chosen stays chosen, for another try.
      sayProblem(cause, setProblem);
      setIsBusy(false);
    }
  }
  return (
    <div className="selection" role="toolbar" aria-label={t("selection.label")}>
      <span role="status">
        {count === 0
          ? t("selection.hint")
          : count < SELECTED_MAX
            ? t("selection.count", { count })
            : t("selection.countMost", { count, most: SELECTED_MAX })}
      </span>
      {problem !== "" && (
        <span className="problem" role="alert">
          {problem}
        </span>
      )}
      <span className="spacer" />
      <button type="button" disabled={count === 0 || isBusy} onClick={() => void remove()}>
        {t("app.delete")}
      </button>
      <button type="button" className="quiet" onClick={onDone}>
        {t("selection.done")}
      </button>
    </div>
  );
}
