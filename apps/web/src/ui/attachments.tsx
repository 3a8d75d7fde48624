// The files of a message: pictures are shown, everything else is offered for saving. Nothing of them is ever run or opened by the page.
import type { Attachment, OutboxFile } from "@parley/client/browser";
import { useEffect, useState } from "react";
import type { Picture } from "../chat/pictures.ts";
import { problemText } from "../text/problem-text.ts";
import { t } from "../text/t.ts";
import { useChat } from "./chat-context.ts";
import { fileSize, plainName } from "./format.ts";

/** Larger ones are shown when they are asked for. */
const SHOWN_UNASKED_BYTES_MAX = 1024 * 1024;
const PICTURE_NAME = /\.(png|jpe?g|gif|webp|avif)$/i;

interface Loaded {
  readonly url: string;
  readonly picture: Picture;
}

export function Attachments({ files }: { readonly files: readonly Attachment[] }) {
  if (files.length === 0) return null;
  return (
    <ul className="files" aria-label={t("files.of")}>
      {files.map((file) => (
        <li key={file.fileId}>
          <OneFile file={file} />
        </li>
      ))}
    </ul>
  );
}

/** Of a message that waits to be sent. */
export function WaitingFiles({ files }: { readonly files: readonly OutboxFile[] }) {
  if (files.length === 0) return null;
  return (
    <ul className="files" aria-label={t("files.of")}>
      {files.map(({ clientFileId, name, size }) => (
        <li key={clientFileId}>
          <span className="file">
            <span aria-hidden="true">📎</span> <bdi>{plainName(name)}</bdi>{" "}
            <small>{fileSize(size)}</small>
          </span>
        </li>
      ))}
    </ul>
  );
}

function OneFile({ file }: { readonly file: Attachment }) {
  const { client } = useChat();
  const name = plainName(file.name);
  const mayBePicture = PICTURE_NAME.test(file.name);
  const [isWanted, setIsWanted] = useState(mayBePicture && file.size <= SHOWN_UNASKED_BYTES_MAX);
  const [loaded, setLoaded] = useState<Loaded | "none">();
  const [percent, setPercent] = useState<number>();
  const [problem, setProblem] = useState("");
  const { fileId, size, sha256 } = file;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a file's id stands for all of it, for ever
  useEffect(() => {
    if (!isWanted) return;
    const abort = new AbortController();
    let url = "";
    const load = async () => {
      const { downloadFile } = await import("../chat/transfers.ts");
      const bytes = await downloadFile(client, { fileId, size, sha256 }, { signal: abort.signal });
      const { pictureOf } = await import("../chat/pictures.ts");
      const picture = pictureOf(bytes);
      if (abort.signal.aborted) return;
      if (picture === undefined) {
        setLoaded("none");
        return;
      }
      url = URL.createObjectURL(new Blob([bytes], { type: picture.mediaType }));
      setLoaded({ url, picture });
    };
    load().catch((cause: unknown) => {
      if (!abort.signal.aborted) setProblem(problemText(cause));
    });
    return () => {
      abort.abort();
      if (url !== "") URL.revokeObjectURL(url);
    };
  }, [client, fileId, isWanted]);

  async function save() {
    setProblem("");
    setPercent(0);
    try {
      const { downloadFile } = await import("../chat/transfers.ts");
      const bytes = await downloadFile(client, file, {
        onProgress: ({ done }) => setPercent(Math.round((done / size) * 100)),
      });
      offer(bytes, name);
    } catch (cause) {
      setProblem(problemText(cause));
    } finally {
      setPercent(undefined);
    }
  }

  return (
    <>
      {loaded !== undefined && loaded !== "none" && (
        <img
          src={loaded.url}
          alt={name}
          width={loaded.picture.width}
          height={loaded.picture.height}
        />
      )}
      <span className="file">
        <span aria-hidden="true">📎</span> <bdi>{name}</bdi> <small>{fileSize(size)}</small>{" "}
        {mayBePicture && !isWanted && (
          <button
            type="button"
            className="quiet"
            aria-label={t("files.showNamed", { name })}
            onClick={() => setIsWanted(true)}
          >
            {t("files.show")}
          </button>
        )}
        <button
          type="button"
          className="quiet"
          aria-label={t("files.saveNamed", { name })}
          disabled={percent !== undefined}
          onClick={() => void save()}
        >
          {percent === undefined ? t("files.save") : t("files.saving", { percent })}
        </button>
      </span>
      {loaded === "none" && <small>{t("files.noPicture")}</small>}
      {problem !== "" && (
        <small className="problem" role="alert">
          {problem}
        </small>
      )}
    </>
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
