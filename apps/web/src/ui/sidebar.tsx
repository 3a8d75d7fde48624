// Rooms and people, what is unread, and how the connection is.
import type { Room } from "@parley/client/browser";
import { memo } from "react";
import { useChat, useMarkedRooms, useRooms } from "./chat-context.ts";
import { hueOf, isDirect, mentionsOf, plainName, roomName, unreadOf, waitingIn } from "./format.ts";
import { HealthPill } from "./health-pill.tsx";
import { goTo } from "./route.ts";
import type { Dialog } from "./shell.tsx";

interface SidebarProps {
  readonly openRoomId: number;
  readonly onDialog: (dialog: Dialog) => void;
}

export function Sidebar({ openRoomId, onDialog }: SidebarProps) {
  const chat = useChat();
  const { rooms } = useRooms();
  const sorted = rooms.toSorted((one, other) =>
    roomName(one, chat.accountId).localeCompare(roomName(other, chat.accountId)),
  );
  const starred = sorted.filter((room) => room.starred);
  const direct = sorted.filter((room) => isDirect(room) && !room.starred);
  const others = sorted.filter((room) => !isDirect(room) && !room.starred);
  const marked = useMarkedRooms();
  const hasUnread = rooms.some((room) => unreadOf(room) > 0 || room.id in marked);
  return (
    <nav className="sidebar" aria-label="Rooms and people">
      <header>
        <button type="button" className="switch" onClick={() => onDialog("switcher")}>
          Jump to … <kbd>Ctrl K</kbd>
        </button>
        <button type="button" className="switch" onClick={() => onDialog("search")}>
          <span>
            Search<span className="sr-only"> messages</span> …
          </span>
          <kbd>Ctrl Shift F</kbd>
        </button>
      </header>
      <div className="lists">
        <Section title="Starred" rooms={starred} openRoomId={openRoomId} />
        <Section title="Rooms" rooms={others} openRoomId={openRoomId} />
        <div className="row-buttons">
          <button type="button" className="quiet" onClick={() => onDialog("new-room")}>
            + New room
          </button>
          <button type="button" className="quiet" onClick={() => onDialog("directory")}>
            Find rooms and people
          </button>
          {hasUnread && (
            <button
              type="button"
              className="quiet"
              onClick={() => {
                for (const room of rooms) {
                  if (room.unreadCount > 0) chat.reads.seen(room.id, room.lastSeq);
                  for (const { threadRootSeq, unreadCount } of room.threads) {
                    if (unreadCount > 0) chat.reads.seen(room.id, room.lastSeq, threadRootSeq);
                  }
                }
                chat.marks.clearAll();
              }}
            >
              Mark all read
            </button>
          )}
        </div>
        <Section title="Direct messages" rooms={direct} openRoomId={openRoomId} />
      </div>
      <footer>
        <HealthPill onOpen={() => onDialog("cluster")} />
        <div className="me">
          <span
            className="avatar"
            data-hue={Math.floor(hueOf(chat.accountId) / 30)}
            aria-hidden="true"
          >
            {[...plainName(chat.signIn.username)][0]?.toUpperCase()}
          </span>
          <bdi>{plainName(chat.signIn.username)}</bdi>
          <button type="button" className="quiet" onClick={() => onDialog("settings")}>
            Account
          </button>
          <button type="button" className="quiet" onClick={() => onDialog("sign-out")}>
            Sign out
          </button>
        </div>
      </footer>
    </nav>
  );
}

interface SectionProps {
  readonly title: string;
  readonly rooms: readonly Room[];
  readonly openRoomId: number;
}

function Section({ title, rooms, openRoomId }: SectionProps) {
  if (rooms.length === 0) return null;
  return (
    <section>
      <h2>{title}</h2>
      <ul>
        {rooms.map((room) => (
          <RoomLink key={room.id} room={room} isOpen={room.id === openRoomId} />
        ))}
      </ul>
    </section>
  );
}

const RoomLink = memo(function RoomLink({
  room,
  isOpen,
}: {
  readonly room: Room;
  readonly isOpen: boolean;
}) {
  const chat = useChat();
  const name = roomName(room, chat.accountId);
  const unread = room.muted ? 0 : unreadOf(room);
  const mentions = mentionsOf(room);
  const isMarked = room.id in useMarkedRooms();
  return (
    <li className="room-line">
      <a
        href={`/r/${room.id}`}
        aria-current={isOpen ? "page" : undefined}
        className={waitingIn(room) > 0 || isMarked ? "room unread" : "room"}
        onClick={(event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return;
          event.preventDefault();
          goTo(room.id);
        }}
      >
        <span className="mark" aria-hidden="true">
          {isDirect(room) ? (room.peer?.online === true ? "●" : "○") : "#"}
        </span>
        <bdi className="name">{name}</bdi>
        {room.muted && (
          <span className="muted" title="Muted">
            <span aria-hidden="true">🔕</span>
            <span className="sr-only">muted</span>
          </span>
        )}
        {isMarked && unread === 0 && (
          <span className="badge" title="Marked unread in this browser">
            <span aria-hidden="true">•</span>
            <span className="sr-only"> marked unread in this browser</span>
          </span>
        )}
        {mentions > 0 && (
          <span className="badge mention">
            @{mentions > 99 ? "99+" : mentions}
            <span className="sr-only"> mentions of you</span>
          </span>
        )}
        {unread > 0 && (
          <span className="badge">
            {unread > 99 ? "99+" : unread}
            <span className="sr-only"> unread</span>
          </span>
        )}
      </a>
      <button
        type="button"
        className="quiet star"
        aria-label={`Star ${name}`}
        aria-pressed={room.starred}
        title={room.starred ? "Starred, on all your devices" : "Star: on top, on all your devices"}
        onClick={() => {
          // Where it fails, the room stays where it was; the pill says how the connection is.
          const wanted = { roomId: room.id, starred: !room.starred };
          chat.client.call("setRoomPreference", wanted).catch(() => {});
        }}
      >
        <span aria-hidden="true">{room.starred ? "★" : "☆"}</span>
      </button>
    </li>
  );
});
