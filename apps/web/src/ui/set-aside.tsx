// What is pasted or dropped and is far longer than any message: browsers take seconds to minutes to lay out very many lines in a field, so it is
// kept beside the field, over a reload too, until its owner has copied it elsewhere or gives it up.
import { LIMITS } from "@parley/client/browser";
import { type ClipboardEvent, type DragEvent, type ReactNode, useState } from "react";
import { saveTextAside, textAside } from "../chat/saved.ts";
import { t } from "../text/t.ts";
import { useChat } from "./chat-context.ts";
import { bytesOf } from "./format.ts";

/** Up to here it can be made shorter in the field; UTF-16 units. */
const FIELD_MAX = 4 * LIMITS.bodyBytesMax;

interface SetAside {
  /** Of the field: takes what is too long for it, and leaves all else to the browser. */
  readonly onPaste: (event: ClipboardEvent) => void;
  readonly onDrop: (event: DragEvent) => void;
  /** What is kept, above the field; undefined = nothing is. */
  readonly notice: ReactNode;
}

export function useSetAside(roomId: number, threadRootSeq: number): SetAside {
  const { scope } = useChat();
  const [text, setText] = useState(() => textAside(scope, roomId, threadRootSeq));
  const keep = (next: string) => {
    saveTextAside(scope, roomId, threadRootSeq, next);
    setText(next);
  };
  const take = (event: ClipboardEvent | DragEvent, given: DataTransfer) => {
    const next = given.getData("text/plain");
    if (next.length <= FIELD_MAX) return;
    event.preventDefault();
    // What is kept already is somebody's, too.
    keep(text === "" ? next : `${text}\n${next}`);
  };
  return {
    onPaste: (event) => take(event, event.clipboardData),
    onDrop: (event) => take(event, event.dataTransfer),
    notice:
      text === "" ? undefined : (
        <p className="problem" role="alert">
          {t("composer.aside", { bytes: bytesOf(text), most: LIMITS.bodyBytesMax })}{" "}
          <button
            type="button"
            className="quiet"
            onClick={() => void navigator.clipboard?.writeText(text)}
          >
            {t("composer.asideCopy")}
          </button>{" "}
          <button type="button" className="quiet" onClick={() => keep("")}>
            {t("composer.asideDrop")}
          </button>
        </p>
      ),
  };
}
