// Signing out wipes what the browser keeps; unsent texts would be lost, so they are shown first.
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
    <Modal title="Sign out?" onClose={onClose}>
      <p>
        {chat.signIn.username}'s messages stay on the servers; this browser forgets what it kept of
        them.
      </p>
      {unsent.length > 0 && (
        <>
          <p className="problem" role="alert">
            {unsent.length === 1 ? "1 message was" : `${unsent.length} messages were`} not sent and
            will be lost:
          </p>
          <textarea
            readOnly
            rows={5}
            aria-label="Unsent messages"
            value={unsent.map(({ body }) => body).join("\n\n")}
          />
        </>
      )}
      <button type="button" className="primary" onClick={onSignOut}>
        {unsent.length > 0 ? "Sign out and lose them" : "Sign out"}
      </button>
    </Modal>
  );
}
