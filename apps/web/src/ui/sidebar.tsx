// Rooms and people, what is unread, and how the connection is.
import type { Room } from "@parley/client/browser";
import { memo, useMemo } from "react";
import { rich } from "../text/rich.ts";
import { t } from "../text/t.ts";
import { useChat, useMarkedRooms, usePresent, useRooms, useShown } from "./chat-context.ts";
import {
  compareNames,
  hueOf,
  isDirect,
  mentionsOf,
  plainName,
  roomName,
  unreadOf,
  waitingIn,
} from "./format.ts";
import { HealthPill } from "./health-pill.tsx";
import { PresenceDot } from "./presence-dot.tsx";
import { goTo } from "./route.ts";
import type { Dialog } from "./shell.tsx";

interface SidebarProps {
  readonly openRoomId: number;
  readonly onDialog: (dialog: Dialog) => void;
}

/** Each name is made once, not with every comparison: there may be thousands of rooms. */
function byName(rooms: readonly Room[], ownId: number): readonly Room[] {
  const named = rooms.map((room) => ({ room, name: roomName(room, ownId) }));
  named.sort((one, other) => compareNames(one.name, other.name));
  return named.map(({ room }) => room);
}

/** Not rendered anew for what happens beside it, such as a dialog that opens. */
export const Sidebar = memo(function Sidebar({ openRoomId, onDialog }: SidebarProps) {
  const chat = useChat();
  const { rooms } = useRooms();
  const sorted = useMemo(() => byName(rooms, chat.accountId), [rooms, chat.accountId]);
  const starred = sorted.filter((room) => room.starred);
  const direct = sorted.filter((room) => isDirect(room) && !room.starred);
  const others = sorted.filter((room) => !isDirect(room) && !room.starred);
  useShown(rooms.flatMap(({ peer }) => peer?.id ?? []));
  const marked = useMarkedRooms();
  const hasUnread = rooms.some((room) => unreadOf(room) > 0 || room.id in marked);
  return (
    <nav className="sidebar" aria-label={t("sidebar.label")}>
      <header>
        <button type="button" className="switch" onClick={() => onDialog("switcher")}>
          {t("sidebar.jump")} <kbd>Ctrl K</kbd>
        </button>
        <button type="button" className="switch" onClick={() => onDialog("search")}>
          <span>
            {rich("sidebar.search", {
              more: <span className="sr-only"> {t("sidebar.searchMore")}</span>,
            })}
          </span>
          <kbd>Ctrl Shift F</kbd>
        </button>
      </header>
      <div className="lists">
        <Section title={t("sidebar.starred")} rooms={starred} openRoomId={openRoomId} />
        <Section title={t("sidebar.rooms")} rooms={others} openRoomId={openRoomId} />
        <div className="row-buttons">
          <button type="button" className="quiet" onClick={() => onDialog("new-room")}>
            {t("sidebar.newRoom")}
          </button>
          <button type="button" className="quiet" onClick={() => onDialog("directory")}>
            {t("sidebar.find")}
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
              {t("sidebar.markAllRead")}
            </button>
          )}
        </div>
        <Section title={t("sidebar.direct")} rooms={direct} openRoomId={openRoomId} />
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
            {t("sidebar.account")}
          </button>
          <button type="button" className="quiet" onClick={() => onDialog("sign-out")}>
            {t("sidebar.signOut")}
          </button>
        </div>
      </footer>
    </nav>
  );
});

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
  const isOnline = usePresent(room.peer)?.online === true;
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
          {isDirect(room) ? <PresenceDot isOnline={isOnline} /> : "#"}
        </span>
        <bdi className="name">{name}</bdi>
        {isDirect(room) && isOnline && <span className="sr-only"> {t("presence.online")}</span>}
        {room.muted && (
          <span className="muted" title={t("sidebar.muted")}>
            <span aria-hidden="true">🔕</span>
            <span className="sr-only">{t("sidebar.mutedWord")}</span>
          </span>
        )}
        {isMarked && unread === 0 && (
          <span className="badge" title={t("sidebar.marked")}>
            <span aria-hidden="true">•</span>
            <span className="sr-only"> {t("sidebar.markedWords")}</span>
          </span>
        )}
        {mentions > 0 && (
          <span className="badge mention">
            @{mentions > 99 ? "99+" : mentions}
            <span className="sr-only"> {t("sidebar.mentionsOf", { count: mentions })}</span>
          </span>
        )}
        {unread > 0 && (
          <span className="badge">
            {unread > 99 ? "99+" : unread}
            <span className="sr-only"> {t("sidebar.unreadOf", { count: unread })}</span>
          </span>
        )}
      </a>
      <button
        type="button"
        className="quiet star"
        aria-label={t("sidebar.star", { room: name })}
        aria-pressed={room.starred}
        title={t(room.starred ? "sidebar.starOn" : "sidebar.starOff")}
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
