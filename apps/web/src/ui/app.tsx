// The page as a whole: signing in, or the chat.
import type { ParleyError } from "@parley/client/browser";
import { Suspense, useCallback, useEffect, useState } from "react";
import { Chat } from "../chat/chat.ts";
import {
  hasUnkeptDraft,
  onSignInElsewhere,
  type SavedSignIn,
  savedSignIn,
  saveSignIn,
} from "../chat/saved.ts";
import { sayProblem } from "../text/problem-text.ts";
import { t } from "../text/t.ts";
import { DialogBoundary } from "./boundary.tsx";
import { ChatContext } from "./chat-context.ts";
import { InviteDialog, PasswordPage, SignInPage } from "./later.ts";
import { forgetLink, goTo, inviteInAddress, passwordLinkInAddress } from "./route.ts";
import { Shell } from "./shell.tsx";

export function App() {
  const [signIn, setSignIn] = useState(savedSignIn);
  const [notice, setNotice] = useState("");
  useEffect(() => onSignInElsewhere(() => setSignIn(savedSignIn())), []);
  const [invite, setInvite] = useState(inviteInAddress);
  const inviteDone = useCallback(() => {
    forgetLink();
    setInvite(undefined);
  }, []);
  const [passwordLink, setPasswordLink] = useState(passwordLinkInAddress);
  const passwordLinkDone = useCallback(() => {
    forgetLink();
    setPasswordLink(undefined);
  }, []);
  const onSignedIn = useCallback(
    (fresh: SavedSignIn, roomId: number) => {
      saveSignIn(fresh);
      setNotice("");
      setSignIn(fresh);
      if (roomId === 0) return;
      inviteDone();
      goTo(roomId);
    },
    [inviteDone],
  );
  const onSignedOut = useCallback((why: string) => {
    setNotice(why);
    setSignIn(undefined);
  }, []);
  // Before all else: also where somebody else is signed in.
  if (passwordLink !== undefined) {
    return (
      <Suspense fallback={null}>
        <PasswordPage
          secret={passwordLink}
          onSignedIn={(fresh) => {
            passwordLinkDone();
            onSignedIn(fresh, 0);
          }}
          onClose={passwordLinkDone}
        />
      </Suspense>
    );
  }
  if (signIn === undefined) {
    return (
      <Suspense fallback={null}>
        <SignInPage notice={notice} invite={invite} onSignedIn={onSignedIn} />
      </Suspense>
    );
  }
  return (
    <SignedIn
      key={signIn.token}
      signIn={signIn}
      invite={invite}
      onInviteDone={inviteDone}
      onSignedOut={onSignedOut}
    />
  );
}

interface SignedInProps {
  readonly signIn: SavedSignIn;
  readonly invite: string | undefined;
  readonly onInviteDone: () => void;
  readonly onSignedOut: (why: string) => void;
}

function SignedIn({ signIn, invite, onInviteDone, onSignedOut }: SignedInProps) {
  const [chat, setChat] = useState<Chat>();
  const [durability, setDurability] = useState<ParleyError>();
  const [problem, setProblem] = useState("");
  useEffect(() => {
    let isGone = false;
    const opening = Chat.open(signIn, {
      onSignedOut: (why) => !isGone && onSignedOut(why),
      onDurability: (now) => !isGone && setDurability(now),
    });
    opening.then(
      (opened) => {
        if (isGone) void opened.close();
        else setChat(opened);
      },
      (cause: unknown) => sayProblem(cause, (text) => !isGone && setProblem(text)),
    );
    return () => {
      isGone = true;
      opening.then((opened) => opened.close()).catch(() => {});
    };
  }, [signIn, onSignedOut]);
  useEffect(() => {
    // Whoever leaves a page that alone has something is asked first.
    const ask = (event: BeforeUnloadEvent) => {
      const hasUnsent = durability !== undefined && chat?.outbox.getSnapshot().length !== 0;
      if (hasUnsent || hasUnkeptDraft() || chat?.isUploading === true) event.preventDefault();
    };
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [chat, durability]);
  if (problem !== "") {
    return (
      <main className="sign-in">
        <div>
          <h1>{t("app.cantOpen")}</h1>
          <p role="alert">{problem}</p>
        </div>
      </main>
    );
  }
  if (chat === undefined) return null;
  return (
    <ChatContext value={chat}>
      <Shell
        durability={durability}
        onSignOut={() => void chat.signOut().then(() => onSignedOut(""))}
      />
      <DialogBoundary onClose={onInviteDone}>
        <Suspense fallback={null}>
          {invite !== undefined && <InviteDialog secret={invite} onClose={onInviteDone} />}
        </Suspense>
      </DialogBoundary>
    </ChatContext>
  );
}
