// A file of a message: pictures are shown small, everything is offered for saving. Nothing of it is ever run or opened by the page.
import type { Attachment } from "@parley/client/browser";
import { useState } from "react";
import { t } from "../text/t.ts";
import { useShowPicture } from "./chat-context.ts";
import { fileSize, plainName } from "./format.ts";
import { SaveButton } from "./save-button.tsx";
import { usePicture } from "./use-picture.ts";

/** Larger ones without a preview are shown when they are asked for. */
const SHOWN_UNASKED_BYTES_MAX = 1024 * 1024;
const PICTURE_NAME = /\.(png|jpe?g|gif|webp|avif)$/i;

export function OneFile({ file }: { readonly file: Attachment }) {
  const showPicture = useShowPicture();
  const name = plainName(file.name);
  const isNamedSo = PICTURE_NAME.test(file.name);
  const isSmall = isNamedSo && file.size <= SHOWN_UNASKED_BYTES_MAX;
  const what = file.previewSize > 0 ? "preview" : isSmall ? "whole" : "nothing";
  const state = usePicture(file, what);
  const [problem, setProblem] = useState("");
  const said = state.kind === "failed" ? state.problem : problem;
  // A preview that is no picture says nothing of the file itself.
  const isOffered =
    isNamedSo && (what === "nothing" || (what === "preview" && state.kind === "none"));
  const label = t("files.showNamed", { name });
  return (
    <>
      {state.kind === "shown" && (
        <button
          type="button"
          className="picture"
          aria-label={label}
          onClick={() => showPicture(file)}
        >
          <img
            src={state.picture.url}
            alt={name}
            width={state.picture.width}
            height={state.picture.height}
          />
        </button>
      )}
      <span className="file">
        <span aria-hidden="true">📎</span> <bdi>{name}</bdi> <small>{fileSize(file.size)}</small>{" "}
        {isOffered && (
          <button
            type="button"
            className="quiet"
            aria-label={label}
            onClick={() => showPicture(file)}
          >
            {t("files.show")}
          </button>
        )}
        <SaveButton file={file} onProblem={setProblem} />
      </span>
      {what === "whole" && state.kind === "none" && <small>{t("files.noPicture")}</small>}
      {said !== "" && (
        <small className="problem" role="alert">
          {said}
        </small>
      )}
    </>
  );
}
