// The files of a message, or of one that waits to be sent.
import type { Attachment, OutboxFile } from "@parley/client/browser";
import { Suspense } from "react";
import { t } from "../text/t.ts";
import { fileSize, plainName } from "./format.ts";
import { OneFile } from "./later.ts";

export function Attachments({ files }: { readonly files: readonly Attachment[] }) {
  if (files.length === 0) return null;
  return (
    <ul className="files" aria-label={t("files.of")}>
      {files.map((file) => (
        <li key={file.fileId}>
          <Suspense fallback={<FileName file={file} />}>
            <OneFile file={file} />
          </Suspense>
        </li>
      ))}
    </ul>
  );
}

export function WaitingFiles({ files }: { readonly files: readonly OutboxFile[] }) {
  if (files.length === 0) return null;
  return (
    <ul className="files" aria-label={t("files.of")}>
      {files.map((file) => (
        <li key={file.clientFileId}>
          <FileName file={file} />
        </li>
      ))}
    </ul>
  );
}

function FileName({ file }: { readonly file: Pick<OutboxFile, "name" | "size"> }) {
  return (
    <span className="file">
      <span aria-hidden="true">📎</span> <bdi>{plainName(file.name)}</bdi>{" "}
      <small>{fileSize(file.size)}</small>
    </span>
  );
}
