// The page as a whole: signing in, or the chat.
import type { ParleyError } from "@parley/client/browser";
import { useCallback, useEffect, useState } from "react";
import { Chat } from "../chat/chat.ts";
import { onSignInElsewhere, type SavedSignIn, savedSignIn, saveSignIn } from "../chat/saved.ts";
import { ChatContext } from "./chat-context.ts";
import { problemText } from "./format.ts";
import { Shell } from "./shell.tsx";
import { SignInPage } from "./sign-in-page.tsx";

export function App() {
  const [signIn, setSignIn] = useState(savedSignIn);
  const [notice, setNotice] = useState("");
  useEffect(() => onSignInElsewhere(() => setSignIn(savedSignIn())), []);
  const onSignedIn = useCallback((fresh: SavedSignIn) => {
    saveSignIn(fresh);
    setNotice("");
    setSignIn(fresh);
  }, []);
  const onSignedOut = useCallback((why: string) => {
    setNotice(why);
    setSignIn(undefined);
  }, []);
  if (signIn === undefined) return <SignInPage notice={notice} onSignedIn={onSignedIn} />;
  return <SignedIn key={signIn.token} signIn={signIn} onSignedOut={onSignedOut} />;
}

interface SignedInProps {
  readonly signIn: SavedSignIn;
  readonly onSignedOut: (why: string) => void;
}

function SignedIn({ signIn, onSignedOut }: SignedInProps) {
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
      (cause: unknown) => !isGone && setProblem(problemText(cause)),
    );
    return () => {
      isGone = true;
      opening.then((opened) => opened.close()).catch(() => {});
    };
  }, [signIn, onSignedOut]);
  if (problem !== "") return <p role="alert">{problem}</p>;
  if (chat === undefined) return null;
  return (
    <ChatContext value={chat}>
      <Shell
        durability={durability}
        onSignOut={() => void chat.signOut().then(() => onSignedOut(""))}
      />
    </ChatContext>
  );
}
