// One room: its name, what was said, and where one writes.
import { type Message, type Room, RoomRole } from "@parley/client/browser";
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useChat } from "./chat-context.ts";
import { Composer } from "./composer.tsx";
import { EmojiDialog } from "./emoji-dialog.tsx";
import { isDirect, plainName, problemText, roomName } from "./format.ts";
import { MessageList } from "./message-list.tsx";
import type { MessageActs } from "./message-row.tsx";
import { goTo } from "./route.ts";
import { extended, NOTHING_SELECTED, type Selection, stillSelected, toggled } from "./selection.ts";
import { SelectionBar } from "./selection-bar.tsx";
import type { Dialog } from "./shell.tsx";
import { TypingLine } from "./typing-line.tsx";

interface RoomPageProps {
  readonly room: Room;
  /** The message that the address points at; 0 = none. */
  readonly seq: number;
  readonly onDialog: (dialog: Dialog) => void;
}

export function RoomPage({ room, seq, onDialog }: RoomPageProps) {
  const chat = useChat();
  const timeline = useMemo(() => chat.timeline(room.id), [chat, room.id]);
  const view = useSyncExternalStore(timeline.subscribe, timeline.getSnapshot);
  const [editing, setEditing] = useState<Message>();
  const [replying, setReplying] = useState<Message>();
  /** The message that is given an emoji out of all. */
  const [reactingTo, setReactingTo] = useState<Message>();
  /** Undefined = nothing is being chosen. */
  const [selection, setSelection] = useState<Selection>();
  const stopSelecting = useCallback(() => setSelection(undefined), []);
  const [problem, setProblem] = useState("");
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
  const name = roomName(room, chat.accountId);
  const editLast = () => {
    const last = view.messages.findLast(
      ({ authorId, deleted }) => authorId === chat.accountId && !deleted,
    );
    if (last !== undefined) setEditing(last);
  };
  const isAdmin = !isDirect(room) && room.role >= RoomRole.ROOM_ROLE_ADMIN;
  const mayPin = isDirect(room) || isAdmin;
  const { accountId } = chat;
  const maySelect = useCallback(
    (message: Message) => !message.deleted && (isAdmin || message.authorId === accountId),
    [isAdmin, accountId],
  );
  const acts = useMemo<MessageActs>(() => {
    const trying = (action: Promise<unknown>) => {
      action.catch((cause: unknown) => setProblem(problemText(cause)));
    };
    return {
      edit: (message) => {
        setReplying(undefined);
        setEditing(message);
      },
      reply: (message) => {
        setEditing(undefined);
        setReplying(message);
        composer.current?.focus();
      },
      remove: ({ seq: own }) => {
        if (!confirm("Delete this message for everybody?")) return;
        trying(chat.client.call("delete", { roomId: room.id, seqs: [own] }));
      },
      react: ({ seq: of }, emoji, add) =>
        trying(chat.client.call("react", { roomId: room.id, seq: of, emoji, add })),
      pickReaction: setReactingTo,
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
            messages.filter(maySelect).map((message) => message.seq),
            chosen,
          );
        }),
      pin: mayPin
        ? ({ seq: of, pinned }) =>
            trying(chat.client.call("pin", { roomId: room.id, seq: of, pinned: !pinned }))
        : undefined,
    };
  }, [chat, room.id, mayPin, maySelect, timeline]);
  return (
    <section className="room-page" aria-label={name}>
      <header>
        <button type="button" className="quiet back" aria-label="All rooms" onClick={() => goTo(0)}>
          ‹
        </button>
        <h1>
          <span className="mark" aria-hidden="true">
            {isDirect(room) ? "@" : "#"}
          </span>
          <bdi>{name}</bdi>
        </h1>
        <p className="topic">
          <bdi>{plainTopic(room.topic)}</bdi>
        </p>
        <button type="button" className="quiet" onClick={() => onDialog("search-here")}>
          Search
        </button>
        <button type="button" className="quiet" onClick={() => onDialog("pins")}>
          Pins
        </button>
        {!isDirect(room) && (
          <button type="button" className="quiet" onClick={() => onDialog("members")}>
            {room.memberCount} {room.memberCount === 1 ? "member" : "members"}
          </button>
        )}
        <button
          type="button"
          className="quiet"
          aria-label="Keyboard shortcuts"
          onClick={() => onDialog("shortcuts")}
        >
          ?
        </button>
      </header>
      <MessageList
        key={`${room.id}`}
        room={room}
        timeline={timeline}
        view={view}
        unreadAfter={unreadAfter}
        markedSeq={markedSeq}
        target={seq}
        isSelected={(message) =>
          selection !== undefined && maySelect(message)
            ? selection.seqs.has(message.seq)
            : undefined
        }
        acts={acts}
      />
      <TypingLine roomId={room.id} />
      {selection !== undefined && (
        <SelectionBar
          roomId={room.id}
          seqs={stillSelected(selection, view.messages)}
          onDone={stopSelecting}
        />
      )}
      {reactingTo !== undefined && (
        <EmojiDialog
          title="An emoji for this message"
          onPick={(emoji) => {
            setReactingTo(undefined);
            acts.react(reactingTo, emoji, true);
          }}
          onClose={() => setReactingTo(undefined)}
        />
      )}
      {problem !== "" && (
        <p className="problem" role="alert">
          {problem}{" "}
          <button type="button" className="quiet" onClick={() => setProblem("")}>
            OK
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
          if (!view.atEnd) void timeline.show(0);
        }}
      />
    </section>
  );
}

function plainTopic(topic: string): string {
  return topic === "" ? "" : plainName(topic);
}
