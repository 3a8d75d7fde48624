// Public rooms to join, and people to write to.
import type { Account, Room } from "@parley/client/browser";
import { useEffect, useId, useState } from "react";
import { sayProblem } from "../text/problem-text.ts";
import { t } from "../text/t.ts";
import { serverNowMs, useChat, usePresent, useShown } from "./chat-context.ts";
import { plainName, presenceText } from "./format.ts";
import { Modal } from "./modal.tsx";
import { PresenceDot } from "./presence-dot.tsx";
import { goTo } from "./route.ts";

const TYPING_PAUSE_MS = 150;
const SHOWN_MAX = 50;

/** What is typed stands for itself, anywhere in the name. */
function globOf(text: string): string {
  const plain = text.trim().replace(/[*?]/g, "?");
  return plain === "" ? "" : `*${plain}*`;
}

export function Directory({ onClose }: { readonly onClose: () => void }) {
  const chat = useChat();
  const [text, setText] = useState("");
  const [rooms, setRooms] = useState<readonly Room[]>([]);
  const [people, setPeople] = useState<readonly Account[]>([]);
  const [isLoaded, setIsLoaded] = useState(false);
  const [problem, setProblem] = useState("");
  const id = useId();
  useEffect(() => {
    const stopping = new AbortController();
    const { signal } = stopping;
    const timer = setTimeout(async () => {
      const pattern = globOf(text);
      try {
        const [found, accounts] = await Promise.all([
          chat.client.call("listRooms", { public: true, pattern, pageSize: SHOWN_MAX }, { signal }),
          chat.client.call("listAccounts", { pattern, pageSize: SHOWN_MAX }, { signal }),
        ]);
        if (signal.aborted) return;
        setRooms(found.rooms);
        setPeople(accounts.accounts.filter((account) => !account.deleted));
        setIsLoaded(true);
        setProblem("");
      } catch (cause) {
        sayProblem(cause, (text) => !signal.aborted && setProblem(text));
      }
    }, TYPING_PAUSE_MS);
    return () => {
      clearTimeout(timer);
      stopping.abort();
    };
  }, [chat, text]);
  useShown(people.map(({ id: accountId }) => accountId));
  async function enter(open: () => Promise<{ readonly room?: Room | undefined }>) {
    try {
      const { room } = await open();
      onClose();
      goTo(room?.id ?? 0);
    } catch (cause) {
      sayProblem(cause, setProblem);
    }
  }
  return (
    <Modal title={t("directory.title")} onClose={onClose} className="wide">
      <label htmlFor={id} className="sr-only">
        {t("directory.name")}
      </label>
      <input
        id={id}
        value={text}
        onChange={(event) => setText(event.target.value)}
        placeholder={t("directory.hint")}
        autoComplete="off"
        data-first-focus
      />
      {problem !== "" && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <h3>{t("directory.rooms")}</h3>
      {isLoaded && rooms.length === 0 && (
        <p className="empty">{t(text === "" ? "directory.noRooms" : "directory.noSuchRooms")}</p>
      )}
      <ul className="picks">
        {rooms.map((room) => (
          <li key={room.id}>
            <button
              type="button"
              onClick={() => void enter(() => chat.client.call("joinRoom", { roomId: room.id }))}
            >
              <span className="mark" aria-hidden="true">
                #
              </span>
              <bdi>{plainName(room.name)}</bdi>
              <small>{t("room.members", { count: room.memberCount })}</small>
              <span className="action">{t("directory.join")}</span>
            </button>
          </li>
        ))}
      </ul>
      <h3>{t("directory.people")}</h3>
      {isLoaded && people.length === 0 && <p className="empty">{t("directory.nobody")}</p>}
      <ul className="picks">
        {people.map((account) => (
          <li key={account.id}>
            <button
              type="button"
              onClick={() =>
                void enter(() => chat.client.call("openDirect", { username: account.username }))
              }
            >
              <Person account={account} />
              <span className="action">{t("directory.write")}</span>
            </button>
          </li>
        ))}
      </ul>
    </Modal>
  );
}

function Person({ account }: { readonly account: Account }) {
  const chat = useChat();
  const present = usePresent(account) ?? account;
  const seen = presenceText(present, serverNowMs(chat));
  return (
    <>
      <PresenceDot isOnline={present.online} />
      <bdi>{plainName(account.displayName === "" ? account.username : account.displayName)}</bdi>
      <small>
        <bdi>@{plainName(account.username)}</bdi>
        {seen === "" ? "" : `, ${seen}`}
      </small>
    </>
  );
}
