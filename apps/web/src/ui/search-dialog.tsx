// Ctrl-Shift-F, some words, Enter: a message in its place.
import { type Room, type SearchHit, snippetOf } from "@parley/client/browser";
import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { sayProblem } from "../text/problem-text.ts";
import { rich } from "../text/rich.ts";
import { type PlainKey, t } from "../text/t.ts";
import { serverNowMs, useChat, useRooms } from "./chat-context.ts";
import { clockTime, dayName, isDirect, plainName, roomName } from "./format.ts";
import { Modal } from "./modal.tsx";
import { goToMessage } from "./route.ts";

const TYPING_PAUSE_MS = 150;

/** What can be said of a message beside its words: how it is written, and what for. */
const FILTERS: readonly (readonly [filter: string, what: PlainKey])[] = [
  ["from:@", "search.from"],
  ["in:#", "search.in"],
  ["before:", "search.before"],
  ["has:link", "search.has"],
];

interface SearchDialogProps {
  /** Where one is; a filter for it stands in the field already. */
  readonly room: Room | undefined;
  readonly onClose: () => void;
}

interface Found {
  readonly query: string;
  readonly hits: readonly SearchHit[];
  readonly nextPageToken: string;
}

export function SearchDialog({ room, onClose }: SearchDialogProps) {
  const chat = useChat();
  const { rooms } = useRooms();
  const [text, setText] = useState(() => filterOf(room, chat.accountId));
  const [found, setFound] = useState<Found>();
  const [problem, setProblem] = useState("");
  const [chosen, setChosen] = useState(0);
  const [isLoadingMore, setIsLoadingMore] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const listId = useId();
  const query = text.trim();
  useEffect(() => {
    const stopping = new AbortController();
    const { signal } = stopping;
    if (query === "") {
      setFound(undefined);
      setProblem("");
      return;
    }
    const timer = setTimeout(() => {
      chat.client.search({ query }, { signal }).then(
        ({ hits, nextPageToken }) => {
          setFound({ query, hits, nextPageToken });
          setProblem("");
          setChosen(0);
        },
        (cause: unknown) => {
          sayProblem(cause, (text) => !signal.aborted && setProblem(text));
        },
      );
    }, TYPING_PAUSE_MS);
    return () => {
      clearTimeout(timer);
      stopping.abort();
    };
  }, [chat, query]);
  const hits = found?.hits ?? [];
  const open = (hit: SearchHit | undefined) => {
    if (hit?.message === undefined) return;
    onClose();
    goToMessage(hit.message);
  };
  const onKey = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && hits.length > 0) {
      event.preventDefault();
      const next = (chosen + step + hits.length) % hits.length;
      setChosen(next);
      document.getElementById(`${listId}-${next}`)?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && !event.nativeEvent.isComposing) {
      event.preventDefault();
      // What is typed may be newer than what is found.
      if (found?.query === query) open(hits[chosen]);
    }
  };
  const more = () => {
    if (found === undefined) return;
    setIsLoadingMore(true);
    chat.client
      .search({ query: found.query, pageToken: found.nextPageToken })
      .then(
        ({ hits: others, nextPageToken }) =>
          setFound((now) =>
            now !== found ? now : { ...now, hits: [...now.hits, ...others], nextPageToken },
          ),
        (cause: unknown) => sayProblem(cause, setProblem),
      )
      .finally(() => setIsLoadingMore(false));
  };
  const add = (filter: string) => {
    setText(`${text.trimEnd()} ${filter}`.trimStart());
    field.current?.focus();
  };
  return (
    <Modal title={t("search.title")} onClose={onClose} className="wide">
      <input
        ref={field}
        role="combobox"
        aria-label={t("search.field")}
        aria-expanded="true"
        aria-controls={listId}
        aria-activedescendant={hits[chosen] === undefined ? undefined : `${listId}-${chosen}`}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKey}
        placeholder={t("search.example")}
        autoComplete="off"
        spellCheck="false"
        data-first-focus
      />
      {problem !== "" && (
        // While somebody types, a filter is often half of one.
        <p className="notice" role="status">
          {problem}
        </p>
      )}
      {(found === undefined || hits.length === 0) && (
        <div className="search-help">
          {found !== undefined && problem === "" && (
            <p role="status">
              {t(found.nextPageToken === "" ? "search.nothing" : "search.nothingYet")}
            </p>
          )}
          <p>
            {rich("search.help", {
              quoted: <code>{t("search.quoted")}</code>,
              beginning: <code>hel*</code>,
            })}
          </p>
          <ul>
            {FILTERS.map(([filter, what]) => (
              <li key={filter}>
                <button type="button" className="quiet" onClick={() => add(filter)}>
                  <code>{filter}</code>
                </button>{" "}
                {t(what)}
              </li>
            ))}
          </ul>
        </div>
      )}
      <div className="picks hits" role="listbox" id={listId} aria-label={t("search.found")}>
        {hits.map((hit, at) => (
          // biome-ignore lint/a11y/useFocusableInteractive: the field has the focus and names what is chosen
          // biome-ignore lint/a11y/useKeyWithClickEvents: as above
          <div
            key={hit.message?.id ?? at}
            id={`${listId}-${at}`}
            role="option"
            aria-selected={at === chosen}
            className="pick hit"
            onClick={() => open(hit)}
          >
            <Hit hit={hit} room={rooms.find(({ id }) => id === hit.message?.roomId)} />
          </div>
        ))}
      </div>
      {found !== undefined && found.nextPageToken !== "" && (
        <button type="button" className="quiet" disabled={isLoadingMore} onClick={more}>
          {t(isLoadingMore ? "search.looking" : "search.more")}
        </button>
      )}
    </Modal>
  );
}

function Hit({ hit, room }: { readonly hit: SearchHit; readonly room: Room | undefined }) {
  const chat = useChat();
  const { message } = hit;
  if (message === undefined) return null;
  const where =
    room === undefined
      ? t("search.elsewhere")
      : `${isDirect(room) ? "@" : "#"}${roomName(room, chat.accountId)}`;
  const day = dayName(message.sentAtMs, serverNowMs(chat));
  return (
    <>
      <small>
        <bdi>{where}</bdi> · {day}, {clockTime(message.sentAtMs)}
      </small>
      <span>
        <bdi className="author">{plainName(message.author)}</bdi>{" "}
        <bdi>
          {snippetOf(hit).map(({ text, isMatch }, at) =>
            // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one text, which never change places
            isMatch ? <mark key={at}>{text}</mark> : <span key={at}>{text}</span>,
          )}
        </bdi>
      </span>
    </>
  );
}

/** For the room that one is in, with a space after it for what follows. A name with a quotation mark can't be written as a filter. */
export function filterOf(room: Room | undefined, ownAccountId: number): string {
  if (room === undefined) return "";
  if (isDirect(room)) return room.peer === undefined ? "" : `in:@${room.peer.username} `;
  const name = roomName(room, ownAccountId);
  if (name.includes('"')) return "";
  return /\s/.test(name) ? `in:"${name}" ` : `in:#${name} `;
}
