// Files chosen for the message that is being written, and how far each has come.
import { useSyncExternalStore } from "react";
import type { Upload, Uploads } from "../chat/uploads.ts";
import { t } from "../text/t.ts";
import { fileSize, plainName } from "./format.ts";
import { useProblemText } from "./use-problem-text.ts";

export function useUploads(uploads: Uploads): readonly Upload[] {
  return useSyncExternalStore(uploads.subscribe, uploads.current);
}

export function UploadList({ uploads }: { readonly uploads: Uploads }) {
  const list = useUploads(uploads);
  if (list.length === 0) return null;
  return (
    <ul className="files uploads" aria-label={t("files.chosen")}>
      {list.map((upload) => (
        <li key={upload.id}>
          <OneUpload upload={upload} uploads={uploads} />
        </li>
      ))}
    </ul>
  );
}

function OneUpload({ upload, uploads }: { readonly upload: Upload; readonly uploads: Uploads }) {
  const { id, size, done, file, failure } = upload;
  const name = plainName(upload.name);
  const why = useProblemText(failure);
  return (
    <>
      <span className="file">
        <span aria-hidden="true">📎</span> <bdi>{name}</bdi> <small>{fileSize(size)}</small>{" "}
        {file === undefined && failure === undefined && (
          <progress value={done} max={size} aria-label={t("files.uploading", { name })} />
        )}
        {failure !== undefined && (
          <button type="button" className="quiet" onClick={() => uploads.retry(id)}>
            {t("files.retry")}
          </button>
        )}
        <button
          type="button"
          className="quiet"
          aria-label={t("files.removeNamed", { name })}
          onClick={() => uploads.remove(id)}
        >
          ✕
        </button>
      </span>
      {why !== "" && (
        <small className="problem" role="alert">
          {why}
        </small>
      )}
    </>
  );
}
