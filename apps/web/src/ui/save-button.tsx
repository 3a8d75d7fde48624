// Saving a file of a message on the device.
import type { Attachment } from "@parley/client/browser";
import { useState } from "react";
import { sayProblem } from "../text/problem-text.ts";
import { t } from "../text/t.ts";
import { useChat } from "./chat-context.ts";
import { plainName } from "./format.ts";

interface SaveButtonProps {
  readonly file: Attachment;
  /** "" = there is none (any more). */
  readonly onProblem: (problem: string) => void;
}

export function SaveButton({ file, onProblem }: SaveButtonProps) {
  const { client } = useChat();
  const [percent, setPercent] = useState<number>();
  const name = plainName(file.name);
  async function save() {
    onProblem("");
    setPercent(0);
    try {
      const { downloadFile } = await import("../chat/transfers.ts");
      const bytes = await downloadFile(client, file, {
        onProgress: ({ done }) => setPercent(Math.round((done / file.size) * 100)),
      });
      offer(bytes, name);
    } catch (cause) {
      sayProblem(cause, onProblem);
    } finally {
      setPercent(undefined);
    }
  }
  return (
    <button
      type="button"
      className="quiet"
      aria-label={t("files.saveNamed", { name })}
      disabled={percent !== undefined}
      onClick={() => void save()}
    >
      {percent === undefined ? t("files.save") : t("files.saving", { percent })}
    </button>
  );
}

/** As bytes of no kind: what it calls itself decides nothing. */
function offer(bytes: Uint8Array<ArrayBuffer>, name: string): void {
  const url = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser has what it needs once the click was handled.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
