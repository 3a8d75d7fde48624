// Somebody who is signed in has opened the link of an invite.
import type { Invite } from "@parley/client/browser";
import { useEffect, useState } from "react";
import { sayProblem } from "../text/problem-text.ts";
import { t } from "../text/t.ts";
import { useChat } from "./chat-context.ts";
import { invitation } from "./format.ts";
import { Modal } from "./modal.tsx";
import { goTo } from "./route.ts";

interface InviteDialogProps {
  readonly secret: string;
  readonly onClose: () => void;
}

type Look =
  | { readonly kind: "asking" }
  | { readonly kind: "bad" }
  | { readonly kind: "good"; readonly invite: Invite };

export function InviteDialog({ secret, onClose }: InviteDialogProps) {
  const chat = useChat();
  const [look, setLook] = useState<Look>({ kind: "asking" });
  const [problem, setProblem] = useState("");
  useEffect(() => {
    let isGone = false;
    chat.client.call("getRegistration", { inviteSecret: secret }).then(
      ({ invite }) => {
        if (!isGone) setLook(invite === undefined ? { kind: "bad" } : { kind: "good", invite });
      },
      (cause: unknown) => sayProblem(cause, (text) => !isGone && setProblem(text)),
    );
    return () => {
      isGone = true;
    };
  }, [chat, secret]);
  async function join() {
    setProblem("");
    try {
      const { room } = await chat.client.call("joinRoom", { inviteSecret: secret });
      onClose();
      goTo(room?.id ?? 0);
    } catch (cause) {
      sayProblem(cause, setProblem);
    }
  }
  const leadsToRoom = look.kind === "good" && look.invite.roomId !== 0;
  return (
    <Modal title={t("invite.title")} onClose={onClose}>
      <p role="status">
        {look.kind === "asking" && t("invite.asking")}
        {look.kind === "bad" && t("invite.bad")}
        {look.kind === "good" && invitation(look.invite)}
        {look.kind === "good" && !leadsToRoom && ` ${t("invite.here")}`}
      </p>
      {problem !== "" && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {leadsToRoom && (
        <button type="button" className="primary" data-first-focus onClick={() => void join()}>
          {t("invite.join")}
        </button>
      )}
    </Modal>
  );
}
