// Texts that were written on this origin for another cluster, or as another account, and never sent: they can't be sent from here, but whoever wrote
// them can copy them.
import { deleteOutbox, type Leftover, leftovers, outboxName } from "@parley/client/browser";
import { useEffect, useState } from "react";
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
  const what = texts.length === 1 ? "1 unsent message" : `${texts.length} unsent messages`;
  const forget = async () => {
    await Promise.all(found.map(({ name }) => deleteOutbox(name).catch(() => {})));
    setFound([]);
  };
  return (
    <>
      <p className="banner" role="status">
        {what} of an earlier sign-in or cluster {texts.length === 1 ? "is" : "are"} kept in this
        browser.{" "}
        <button type="button" className="quiet" onClick={() => setIsOpen(true)}>
          Show
        </button>
      </p>
      {isOpen && (
        <Modal title={what} onClose={() => setIsOpen(false)}>
          <p>
            They were written for other servers or as somebody else, so they are not sent from here.
          </p>
          <textarea readOnly rows={8} aria-label="Unsent messages" value={texts.join("\n\n")} />
          <button
            type="button"
            className="primary"
            onClick={() => void navigator.clipboard?.writeText(texts.join("\n\n"))}
          >
            Copy all
          </button>
          <button type="button" className="quiet" onClick={() => void forget()}>
            Forget them
          </button>
        </Modal>
      )}
    </>
  );
}
