// A picture as large as the window lets it be.
import type { Attachment } from "@parley/client/browser";
import { useState } from "react";
import { t } from "../text/t.ts";
import { plainName } from "./format.ts";
import { Modal } from "./modal.tsx";
import { SaveButton } from "./save-button.tsx";
import { usePicture } from "./use-picture.ts";

interface PictureDialogProps {
  readonly file: Attachment;
  readonly onClose: () => void;
}

export function PictureDialog({ file, onClose }: PictureDialogProps) {
  const name = plainName(file.name);
  const state = usePicture(file, "whole");
  const [problem, setProblem] = useState("");
  const said = state.kind === "failed" ? state.problem : problem;
  return (
    <Modal title={name} onClose={onClose} className="picture">
      {state.kind === "waiting" && (
        <progress value={state.percent} max={100} aria-label={t("files.coming", { name })} />
      )}
      {state.kind === "shown" && (
        <img
          src={state.picture.url}
          alt={name}
          width={state.picture.width}
          height={state.picture.height}
        />
      )}
      {state.kind === "none" && <p className="empty">{t("files.noPicture")}</p>}
      {said !== "" && (
        <p className="problem" role="alert">
          {said}
        </p>
      )}
      <p className="row-buttons">
        <SaveButton file={file} onProblem={setProblem} />
      </p>
    </Modal>
  );
}
