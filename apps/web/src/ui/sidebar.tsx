// Rooms and people, what is unread, and how the connection is.
import type { Room } from "@parley/client/browser";
import { memo, useMemo, useSyncExternalStore } from "react";
import { keepQuiet, QUIET_ALWAYS, quietUntil } from "../chat/notify-choice.ts";
import type { MarkedRooms } from "../chat/unread-marks.ts";
import { rich } from "../text/rich.ts";
import { t } from "../text/t.ts";
import { useChat, useMarkedRooms, useRooms, useShown } from "./chat-context.ts";
import {
  compareNames,
  hueOf,
  isDirect,
  momentName,
  plainName,
  roomName,
  unreadOf,
} from "./format.ts";
import { HealthPill } from "./health-pill.tsx";
import { RoomLink } from "./room-link.tsx";
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
  const lines = { openRoomId, marked };
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
        <Section title={t("sidebar.starred")} rooms={starred} {...lines} />
        <Section title={t("sidebar.rooms")} rooms={others} {...lines} />
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
        <Section title={t("sidebar.direct")} rooms={direct} {...lines} />
      </div>
      <footer>
        <QuietLine />
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

/** That nothing is told here, for as long as it is so. */
function QuietLine() {
  const untilMs = useSyncExternalStore(quietUntil.subscribe, quietUntil.getSnapshot);
  if (untilMs === 0) return null;
  return (
    <p className="me do-not-disturb">
      <span>
        <span aria-hidden="true">🔕 </span>
        {untilMs === QUIET_ALWAYS
          ? t("sidebar.quiet")
          : t("sidebar.quietUntil", { when: momentName(untilMs, Date.now()) })}
      </span>
      <span className="spacer" />
      <button type="button" className="quiet" onClick={() => keepQuiet(undefined)}>
        {t("sidebar.quietEnd")}
      </button>
    </p>
  );
}

interface SectionProps {
  readonly title: string;
  readonly rooms: readonly Room[];
  readonly openRoomId: number;
  readonly marked: MarkedRooms;
}

/** Of a thousand rooms the browser styles and lays out only the groups that are seen. */
const GROUP_SIZE = 32;
const LINE_REM = 2;

function Section({ title, rooms, openRoomId, marked }: SectionProps) {
  if (rooms.length === 0) return null;
  return (
    <section>
      <h2>{title}</h2>
      {/* biome-ignore lint/a11y/useSemanticElements: a <ul> holds nothing but items */}
      <div role="list">
        {groups(rooms).map((group, at) => (
          <div
            // biome-ignore lint/suspicious/noArrayIndexKey: when a room comes in, each group takes one line from the group before
            key={at}
            role="none"
            className="room-group"
            style={{ containIntrinsicBlockSize: `auto ${LINE_REM * group.length}rem` }}
          >
            {group.map((room) => (
              <RoomLink
                key={room.id}
                room={room}
                isOpen={room.id === openRoomId}
                isMarked={room.id in marked}
              />
            ))}
          </div>
        ))}
      </div>
    </section>
  );
}

function groups(rooms: readonly Room[]): readonly (readonly Room[])[] {
  const count = Math.ceil(rooms.length / GROUP_SIZE);
  return Array.from({ length: count }, (_, at) =>
    rooms.slice(at * GROUP_SIZE, (at + 1) * GROUP_SIZE),
  );
}
