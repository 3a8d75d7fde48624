// A room's line in the sidebar. There may be thousands of them: what a line need not know, it is not told of.
import type { Account, Room } from "@parley/client/browser";
import { memo } from "react";
import { t } from "../text/t.ts";
import { useChat, usePresent } from "./chat-context.ts";
import { isDirect, mentionsOf, roomName, unreadOf, waitingIn } from "./format.ts";
import { PresenceDot } from "./presence-dot.tsx";
import { goTo } from "./route.ts";

interface RoomLinkProps {
  readonly room: Room;
  readonly isOpen: boolean;
  /** Marked unread in this browser. */
  readonly isMarked: boolean;
}

export const RoomLink = memo(function RoomLink({ room, isOpen, isMarked }: RoomLinkProps) {
  const chat = useChat();
  const name = roomName(room, chat.accountId);
  const unread = room.muted ? 0 : unreadOf(room);
  const mentions = mentionsOf(room);
  return (
    // biome-ignore lint/a11y/useSemanticElements: see the list
    <div role="listitem" className={room.starred ? "room-line starred" : "room-line"}>
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
        {isDirect(room) ? (
          <PeerName peer={room.peer} name={name} />
        ) : (
          <>
            <span className="mark" aria-hidden="true">
              #
            </span>
            <bdi className="name">{name}</bdi>
          </>
        )}
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
        {room.starred ? "★" : "☆"}
      </button>
    </div>
  );
});

/** Apart from rooms of many: only those with one other person look at who is there. */
function PeerName({ peer, name }: { readonly peer: Account | undefined; readonly name: string }) {
  const isOnline = usePresent(peer)?.online === true;
  return (
    <>
      <span className="mark" aria-hidden="true">
        <PresenceDot isOnline={isOnline} />
      </span>
      <bdi className="name">{name}</bdi>
      {isOnline && <span className="sr-only"> {t("presence.online")}</span>}
    </>
  );
}
