// A thread beside its room: the message that it is about, the replies, and where one writes. On a phone it takes the room's place.
import { followedThread, type Message, type Room } from "@parley/client/browser";
import {
  type KeyboardEvent,
  Suspense,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import { sayProblem } from "../text/problem-text.ts";
import { t } from "../text/t.ts";
import { useChat } from "./chat-context.ts";
import { Composer } from "./composer.tsx";
import { isDirect, roomName } from "./format.ts";
import { EmojiDialog } from "./later.ts";
import { isRoomAdmin, serverActs } from "./message-acts.ts";
import { MessageList } from "./message-list.tsx";
import type { MessageActs } from "./message-row.tsx";

interface ThreadPanelProps {
  readonly room: Room;
  /** The message that the thread is about. */
  readonly rootSeq: number;
  /** The reply that the address points at; 0 = none. */
  readonly seq: number;
  readonly onClose: () => void;
}

export function ThreadPanel({ room, rootSeq, seq, onClose }: ThreadPanelProps) {
  const chat = useChat();
  const thread = useMemo(() => chat.thread(room.id, rootSeq), [chat, room.id, rootSeq]);
  const view = useSyncExternalStore(thread.subscribe, thread.getSnapshot);
  const [editing, setEditing] = useState<Message>();
  const [replying, setReplying] = useState<Message>();
  const [sends, setSends] = useState(0);
  const [reactingTo, setReactingTo] = useState<Message>();
  const [problem, setProblem] = useState("");
  const composer = useRef<HTMLTextAreaElement>(null);
  const place = followedThread(room, rootSeq);
  // As it was when the thread was opened: the line does not move while one reads.
  const [unreadAfter] = useState(place !== undefined && place.unreadCount > 0 ? place.readSeq : 0);
  useEffect(() => void thread.show(seq), [thread, seq]);
  const mayPin = isDirect(room) || isRoomAdmin(room);
  const acts = useMemo<MessageActs>(
    () => ({
      ...serverActs(chat, room.id, mayPin, setProblem),
      edit: (message) => {
        setReplying(undefined);
        setEditing(message);
      },
      reply: (message) => {
        setEditing(undefined);
        setReplying(message);
        composer.current?.focus();
      },
      pickReaction: setReactingTo,
      openThread: undefined,
      search: undefined,
      markUnread: undefined,
      maySelect: () => false,
      select: () => {},
    }),
    [chat, room.id, mayPin],
  );
  const toggleFollow = () => {
    const request = { roomId: room.id, seq: rootSeq, follow: place === undefined };
    chat.client
      .call("followThread", request)
      .catch((cause: unknown) => sayProblem(cause, setProblem));
  };
  const editLast = () => {
    const last = view.messages.findLast(
      ({ authorId, deleted }) => authorId === chat.accountId && !deleted,
    );
    if (last !== undefined) setEditing(last);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || event.defaultPrevented || reactingTo !== undefined) return;
    event.preventDefault();
    onClose();
  };
  const isOver = view.loaded && (thread.root?.deleted ?? false);
  const name = roomName(room, chat.accountId);
  return (
    <aside
      className="thread-panel"
      aria-label={t("thread.label", { room: name })}
      onKeyDown={onKey}
    >
      <header>
        {/* On a phone it is all that there is. */}
        <h1>{t("thread.title")}</h1>
        {(place !== undefined || !isOver) && (
          <button
            type="button"
            className="quiet"
            aria-pressed={place !== undefined}
            title={t("thread.followHint")}
            onClick={toggleFollow}
          >
            {t(place === undefined ? "thread.follow" : "thread.following")}
          </button>
        )}
        <button type="button" className="quiet" aria-label={t("thread.close")} onClick={onClose}>
          ✕
        </button>
      </header>
      <MessageList
        room={room}
        threadRootSeq={rootSeq}
        source={thread}
        view={view}
        unreadAfter={unreadAfter}
        markedSeq={0}
        target={seq}
        sends={sends}
        isSelected={() => undefined}
        acts={acts}
      />
      {reactingTo !== undefined && (
        <Suspense fallback={null}>
          <EmojiDialog
            title={t("emoji.forMessage")}
            onPick={(emoji) => {
              setReactingTo(undefined);
              acts.react(reactingTo, emoji, true);
            }}
            onClose={() => setReactingTo(undefined)}
          />
        </Suspense>
      )}
      {problem !== "" && (
        <p className="problem" role="alert">
          {problem}{" "}
          <button type="button" className="quiet" onClick={() => setProblem("")}>
            {t("app.ok")}
          </button>
        </p>
      )}
      {isOver ? (
        <p className="empty">{t("thread.over")}</p>
      ) : (
        <Composer
          key={editing === undefined ? "new" : `edit:${editing.seq}`}
          ref={composer}
          room={room}
          threadRootSeq={rootSeq}
          name={t("composer.thread")}
          editing={editing}
          replying={replying}
          onNoReply={() => setReplying(undefined)}
          onDone={() => setEditing(undefined)}
          onEditLast={editLast}
          onSent={() => {
            setReplying(undefined);
            setSends(sends + 1);
          }}
        />
      )}
    </aside>
  );
}
