// Ctrl-K, a few letters, Enter.
import type { Room } from "@parley/client/browser";
import { type KeyboardEvent, useId, useState } from "react";
import { t } from "../text/t.ts";
import { useChat, useRooms } from "./chat-context.ts";
import { compareNames, isDirect, roomName, unreadOf } from "./format.ts";
import { Modal } from "./modal.tsx";
import { goTo } from "./route.ts";

const SHOWN_MAX = 12;

/** Names that begin with what was typed come first, then words that do, then the rest; unread before read. */
export function matches(rooms: readonly Room[], text: string, ownId: number): readonly Room[] {
  const wanted = text.trim().toLowerCase();
  const ranked = rooms.flatMap((room) => {
    const name = roomName(room, ownId).toLowerCase();
    const at = name.indexOf(wanted);
    if (at < 0) return [];
    const rank = at === 0 ? 0 : /[\s_-]/.test(name[at - 1] ?? "") ? 1 : 2;
    return [{ room, rank, name, isUnread: unreadOf(room) > 0 }];
  });
  ranked.sort(
    (one, other) =>
      one.rank - other.rank ||
      Number(other.isUnread) - Number(one.isUnread) ||
      one.name.length - other.name.length ||
      compareNames(one.name, other.name),
  );
  return ranked.slice(0, SHOWN_MAX).map(({ room }) => room);
}

export function QuickSwitcher({ onClose }: { readonly onClose: () => void }) {
  const chat = useChat();
  const { rooms } = useRooms();
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const listId = useId();
  const found = matches(rooms, text, chat.accountId);
  const open = (room: Room | undefined) => {
    if (room === undefined) return;
    onClose();
    goTo(room.id);
  };
  const onKey = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && found.length > 0) {
      event.preventDefault();
      setChosen((chosen + step + found.length) % found.length);
    } else if (event.key === "Enter" && !event.nativeEvent.isComposing) {
      event.preventDefault();
      open(found[chosen]);
    }
  };
  return (
    <Modal title={t("switcher.title")} onClose={onClose}>
      <input
        role="combobox"
        aria-label={t("switcher.field")}
        aria-expanded="true"
        aria-controls={listId}
        aria-activedescendant={
          found[chosen] === undefined ? undefined : `${listId}-${found[chosen].id}`
        }
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setChosen(0);
        }}
        onKeyDown={onKey}
        autoComplete="off"
        data-first-focus
      />
      {found.length === 0 && <p className="empty">{t("switcher.nothing")}</p>}
      <div className="picks" role="listbox" id={listId} aria-label={t("switcher.matches")}>
        {found.map((room, at) => (
          // biome-ignore lint/a11y/useFocusableInteractive: as above
          // biome-ignore lint/a11y/useKeyWithClickEvents: as above
          <div
            key={room.id}
            id={`${listId}-${room.id}`}
            role="option"
            aria-selected={at === chosen}
            className="pick"
            onClick={() => open(room)}
          >
            <span className="mark" aria-hidden="true">
              {isDirect(room) ? "@" : "#"}
            </span>
            <bdi>{roomName(room, chat.accountId)}</bdi>
            {unreadOf(room) > 0 && <span className="badge">{unreadOf(room)}</span>}
          </div>
        ))}
      </div>
    </Modal>
  );
}
