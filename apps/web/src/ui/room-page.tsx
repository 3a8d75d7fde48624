// One room: its name, what was said, and where one writes.
import type { Message, Room } from "@parley/client/browser";
import {
  Suspense,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import { t } from "../text/t.ts";
import { Boundary, WentWrong } from "./boundary.tsx";
import { serverNowMs, useChat, usePresent } from "./chat-context.ts";
import { Composer } from "./composer.tsx";
import { isDirect, plainName, presenceText, roomName } from "./format.ts";
import { EmojiDialog, SelectionBar, ThreadPanel } from "./later.ts";
import { isRoomAdmin, serverActs } from "./message-acts.ts";
import { MessageList } from "./message-list.tsx";
import type { MessageActs } from "./message-row.tsx";
import { MuteButton } from "./mute-button.tsx";
import { correct, goTo } from "./route.ts";
import { extended, NOTHING_SELECTED, type Selection, stillSelected, toggled } from "./selection.ts";
import type { Dialog } from "./shell.tsx";
import { TypingLine } from "./typing-line.tsx";

interface RoomPageProps {
  readonly room: Room;
  /** The message that the address points at; 0 = none. */
  readonly seq: number;
  /** The message whose thread is open; 0 = none. Then `seq` is one of its replies. */
  readonly thread: number;
  readonly onDialog: (dialog: Dialog) => void;
}

export function RoomPage({ room, seq: addressed, thread, onDialog }: RoomPageProps) {
  const chat = useChat();
  const timeline = useMemo(() => chat.timeline(room.id), [chat, room.id]);
  const view = useSyncExternalStore(timeline.subscribe, timeline.getSnapshot);
  const [editing, setEditing] = useState<Message>();
  const [replying, setReplying] = useState<Message>();
  const [sends, setSends] = useState(0);
  /** The message that is given an emoji out of all. */
  const [reactingTo, setReactingTo] = useState<Message>();
  /** Undefined = nothing is being chosen. */
  const [selection, setSelection] = useState<Selection>();
  const stopSelecting = useCallback(() => setSelection(undefined), []);
  const [problem, setProblem] = useState("");
  // While a thread is open the room stays where it is.
  const stays = useRef(0);
  if (thread === 0) stays.current = addressed;
  const seq = stays.current;
  // As it was when the room was opened: the line does not move while one reads.
  const [unreadAfter] = useState(room.unreadCount > 0 ? room.readSeq : 0);
  // Who opens a room comes back to what was marked in it.
  const [markedSeq, setMarkedSeq] = useState(() => chat.marks.of(room.id));
  useEffect(() => chat.marks.clear(room.id), [chat, room.id]);
  const composer = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (seq === 0) timeline.open();
    else void timeline.show(seq);
  }, [timeline, seq]);
  // The address of a reply that does not say so, such as one that somebody has typed.
  const isReplyOf =
    thread === 0 && seq > 0
      ? (view.messages.find((message) => message.seq === seq)?.threadRootSeq ?? 0)
      : 0;
  useEffect(() => {
    if (isReplyOf > 0) correct({ roomId: room.id, seq, thread: isReplyOf });
  }, [room.id, seq, isReplyOf]);
  const closeThread = useCallback(() => {
    goTo(room.id);
    composer.current?.focus();
  }, [room.id]);
  const name = roomName(room, chat.accountId);
  const peer = usePresent(room.peer);
  const seen =
    peer === undefined || peer.id === chat.accountId ? "" : presenceText(peer, serverNowMs(chat));
  const editLast = () => {
    const last = view.messages.findLast(
      ({ authorId, deleted, threadRootSeq }) =>
        authorId === chat.accountId && !deleted && threadRootSeq === 0,
    );
    if (last !== undefined) setEditing(last);
  };
  const isAdmin = isRoomAdmin(room);
  const mayPin = isDirect(room) || isAdmin;
  const { accountId } = chat;
  const maySelect = useCallback(
    (message: Message) => !message.deleted && (isAdmin || message.authorId === accountId),
    [isAdmin, accountId],
  );
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
      openThread: ({ seq: root }) => goTo(room.id, 0, root),
      search: () => onDialog("search-here"),
      markUnread: ({ seq: from }) => {
        chat.marks.mark(room.id, from);
        setMarkedSeq(from);
      },
      maySelect,
      select: ({ seq: chosen }, isRange) =>
        setSelection((before = NOTHING_SELECTED) => {
          if (!isRange) return toggled(before, chosen);
          const { messages } = timeline.getSnapshot();
          return extended(
            before,
            messages
              .filter((message) => message.threadRootSeq === 0 && maySelect(message))
              .map((message) => message.seq),
            chosen,
          );
        }),
    }),
    [chat, room.id, mayPin, maySelect, timeline, onDialog],
  );
  return (
    <div className="room-and-thread" data-thread={thread > 0}>
      <section className="room-page" aria-label={name}>
        <header>
          <button
            type="button"
            className="quiet back"
            aria-label={t("room.back")}
            onClick={() => goTo(0)}
          >
            ‹
          </button>
          <h1>
            <span className="mark" aria-hidden="true">
              {isDirect(room) ? "@" : "#"}
            </span>
            <bdi>{name}</bdi>
          </h1>
          <p className="topic">
            <bdi>{isDirect(room) ? seen : plainTopic(room.topic)}</bdi>
          </p>
          <MuteButton room={room} onProblem={setProblem} />
          <button type="button" className="quiet" onClick={() => onDialog("search-here")}>
            <HeaderLabel icon="🔍" text={t("room.search")} />
          </button>
          <button type="button" className="quiet" onClick={() => onDialog("pins")}>
            <HeaderLabel icon="📌" text={t("room.pins")} />
          </button>
          {!isDirect(room) && (
            <button type="button" className="quiet" onClick={() => onDialog("members")}>
              <HeaderLabel
                icon={`👥 ${room.memberCount}`}
                text={t("room.members", { count: room.memberCount })}
              />
            </button>
          )}
          <button
            type="button"
            className="quiet for-keyboards"
            aria-label={t("room.shortcuts")}
            onClick={() => onDialog("shortcuts")}
          >
            ?
          </button>
        </header>
        <MessageList
          key={`${room.id}`}
          room={room}
          source={timeline}
          view={view}
          unreadAfter={unreadAfter}
          markedSeq={markedSeq}
          target={seq}
          sends={sends}
          isSelected={(message) =>
            selection !== undefined && maySelect(message)
              ? selection.seqs.has(message.seq)
              : undefined
          }
          acts={acts}
        />
        <TypingLine roomId={room.id} />
        {selection !== undefined && (
          <Suspense fallback={null}>
            <SelectionBar
              roomId={room.id}
              seqs={stillSelected(selection, view.messages)}
              onDone={stopSelecting}
            />
          </Suspense>
        )}
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
        <Composer
          key={editing === undefined ? "new" : `edit:${editing.seq}`}
          ref={composer}
          room={room}
          name={name}
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
      </section>
      {thread > 0 && (
        <Boundary
          key={thread}
          instead={(again) => (
            <WentWrong onAgain={again}>
              <button type="button" className="quiet" onClick={closeThread}>
                {t("thread.close")}
              </button>
            </WentWrong>
          )}
        >
          <Suspense fallback={null}>
            <ThreadPanel room={room} rootSeq={thread} seq={addressed} onClose={closeThread} />
          </Suspense>
        </Boundary>
      )}
    </div>
  );
}

/** In words where there is room for them, else as an icon. */
function HeaderLabel({ icon, text }: { readonly icon: string; readonly text: string }) {
  return (
    <>
      <span className="icon" aria-hidden="true">
        {icon}
      </span>
      <span className="label">{text}</span>
    </>
  );
}

function plainTopic(topic: string): string {
  return topic === "" ? "" : plainName(topic);
}
