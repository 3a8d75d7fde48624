// Who is typing, under the messages. The line is always there, so that nothing moves when somebody begins.
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { t } from "../text/t.ts";
import { useChat } from "./chat-context.ts";
import { plainName } from "./format.ts";

/** A screen reader says it once in so long: in a lively talk somebody types all the time. */
const SAID_GAP_MS = 30_000;

export function TypingLine({ roomId }: { readonly roomId: number }) {
  const { typists } = useChat();
  const here = useSyncExternalStore(typists.subscribe, () => typists.of(roomId));
  const text = typingText(here.map(({ username }) => plainName(username)));
  const said = useSaid(text);
  return (
    <div className="typing">
      <bdi aria-hidden="true">{text}</bdi>
      <span className="sr-only" role="status">
        {said}
      </span>
    </div>
  );
}

function typingText(names: readonly string[]): string {
  const [name, other, more] = names;
  if (name === undefined) return "";
  if (other === undefined) return t("list.typingOne", { name });
  return more === undefined ? t("list.typingTwo", { name, other }) : t("list.typingMore");
}

/** What is said of it: that somebody begins, not who joins in, nor the end. */
function useSaid(text: string): string {
  const [said, setSaid] = useState("");
  const saidAtMs = useRef(Number.NEGATIVE_INFINITY);
  useEffect(() => {
    const nowMs = performance.now();
    if (text === "") setSaid("");
    else if (nowMs - saidAtMs.current >= SAID_GAP_MS) {
      saidAtMs.current = nowMs;
      setSaid(text);
    }
  }, [text]);
  return said;
}
