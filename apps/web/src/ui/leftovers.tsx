// Texts that were written on this origin for another cluster, or as another account, and never sent: they can't be sent from here, but whoever wrote
// them can copy them.
import { deleteOutbox, type Leftover, leftovers, outboxName } from "@parley/client/browser";
import { useEffect, useState } from "react";
import { t } from "../text/t.ts";
import { useChat } from "./chat-context.ts";
import { Modal } from "./modal.tsx";

export function Leftovers() {
  const chat = useChat();
  const [found, setFound] = useState<readonly Leftover[]>([]);
  const [isOpen, setIsOpen] = useState(false);
  useEffect(() => {
    let isGone = false;
    leftovers(outboxName(chat.signIn.clusterId, chat.accountId)).then(
      (others) => !isGone && setFound(others),
      // Storage is forbidden: then nothing was left in it.
      () => {},
    );
    return () => {
      isGone = true;
    };
  }, [chat]);
  const texts = found.flatMap(({ items }) => items.map(({ body }) => body));
  if (texts.length === 0) return null;
  const { length: count } = texts;
  const forget = async () => {
    await Promise.all(found.map(({ name }) => deleteOutbox(name).catch(() => {})));
    setFound([]);
  };
  return (
    <>
      <p className="banner" role="status">
        {t("leftovers.kept", { count })}{" "}
        <button type="button" className="quiet" onClick={() => setIsOpen(true)}>
          {t("app.show")}
        </button>
      </p>
      {isOpen && (
        <Modal title={t("leftovers.title", { count })} onClose={() => setIsOpen(false)}>
          <p>{t("leftovers.why")}</p>
          <textarea
            readOnly
            rows={8}
            aria-label={t("leftovers.texts")}
            value={texts.join("\n\n")}
          />
          <button
            type="button"
            className="primary"
            onClick={() => void navigator.clipboard?.writeText(texts.join("\n\n"))}
          >
            {t("leftovers.copyAll")}
          </button>
          <button type="button" className="quiet" onClick={() => void forget()}>
            {t("leftovers.forget")}
          </button>
        </Modal>
      )}
    </>
  );
}
