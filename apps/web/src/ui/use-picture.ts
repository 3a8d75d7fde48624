// A file's bytes as a picture on the page, if they are one: whole, or the preview that its uploader made of it.
import type { Attachment } from "@parley/client/browser";
import { useEffect, useState } from "react";
import type { Picture } from "../chat/pictures.ts";
import { sayProblem } from "../text/problem-text.ts";
import { useChat } from "./chat-context.ts";

export interface ShownPicture extends Picture {
  /** Of this page alone, until the picture is no longer shown. */
  readonly url: string;
}

export type PictureState =
  | { readonly kind: "waiting"; readonly percent: number }
  | { readonly kind: "shown"; readonly picture: ShownPicture }
  /** The bytes are of no picture that the page shows, whatever the file is called. */
  | { readonly kind: "none" }
  | { readonly kind: "failed"; readonly problem: string };

const WAITING: PictureState = { kind: "waiting", percent: 0 };

/** `what`: "nothing" = no byte of it is fetched. */
export function usePicture(file: Attachment, what: "preview" | "whole" | "nothing"): PictureState {
  const { client } = useChat();
  const [state, setState] = useState(WAITING);
  const { fileId, size, sha256, previewSize } = file;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a file's id stands for all of it, for ever
  useEffect(() => {
    if (what === "nothing") return;
    const abort = new AbortController();
    const { signal } = abort;
    let url = "";
    const set = (next: PictureState) => !signal.aborted && setState(next);
    const load = async () => {
      const { downloadFile, downloadPreview } = await import("../chat/transfers.ts");
      const bytes =
        what === "preview"
          ? await downloadPreview(client, { fileId, previewSize }, { signal })
          : await downloadFile(
              client,
              { fileId, size, sha256 },
              {
                signal,
                onProgress: ({ done }) =>
                  set({ kind: "waiting", percent: Math.round((done / size) * 100) }),
              },
            );
      const { pictureOf } = await import("../chat/pictures.ts");
      const picture = pictureOf(bytes, what);
      if (signal.aborted) return;
      if (picture === undefined) {
        set({ kind: "none" });
        return;
      }
      url = URL.createObjectURL(new Blob([bytes], { type: picture.mediaType }));
      set({ kind: "shown", picture: { ...picture, url } });
    };
    setState(WAITING);
    load().catch((cause: unknown) =>
      sayProblem(cause, (problem) => set({ kind: "failed", problem })),
    );
    return () => {
      abort.abort();
      if (url !== "") URL.revokeObjectURL(url);
    };
  }, [client, fileId, what]);
  return state;
}
