// Signing out wipes what the browser keeps; unsent texts would be lost, so they are shown first.
import { rich } from "../text/rich.ts";
import { t } from "../text/t.ts";
import { useChat, useOutbox } from "./chat-context.ts";
import { Modal } from "./modal.tsx";

interface SignOutProps {
  readonly onClose: () => void;
  readonly onSignOut: () => void;
}

export function SignOut({ onClose, onSignOut }: SignOutProps) {
  const chat = useChat();
  const unsent = useOutbox();
  return (
    <Modal title={t("signOut.title")} onClose={onClose}>
      <p>{rich("signOut.what", { name: <bdi>{chat.signIn.username}</bdi> })}</p>
      {unsent.length > 0 && (
        <>
          <p className="problem" role="alert">
            {t("signOut.lost", { count: unsent.length })}
          </p>
          <textarea
            readOnly
            rows={5}
            aria-label={t("signOut.texts")}
            value={unsent.map(({ body }) => body).join("\n\n")}
          />
        </>
      )}
      <button type="button" className="primary" onClick={onSignOut}>
        {t(unsent.length > 0 ? "signOut.loseThem" : "signOut.leave")}
      </button>
    </Modal>
  );
}
