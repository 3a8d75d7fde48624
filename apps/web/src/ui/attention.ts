// That something waits, where the page is only a tab among others: a number in its title, and a dot in its icon.
import { useEffect } from "react";
import { t } from "../text/t.ts";
import { useMarkedRooms, useRooms } from "./chat-context.ts";
import { waitingIn } from "./format.ts";

const SHOWN_MAX = 999;
const ICON = "/icon.svg";
const ICON_UNREAD = "/icon-unread.svg";

export function useAttention(): void {
  const { rooms } = useRooms();
  const marked = useMarkedRooms();
  // What was marked to come back to counts as one.
  const waiting = rooms.reduce(
    (sum, room) => sum + (waitingIn(room) || (room.id in marked ? 1 : 0)),
    0,
  );
  useEffect(() => {
    document.title =
      waiting === 0
        ? t("app.name")
        : t("app.titleWaiting", { count: waiting > SHOWN_MAX ? `${SHOWN_MAX}+` : waiting });
    const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
    if (link !== null) link.href = waiting === 0 ? ICON : ICON_UNREAD;
  }, [waiting]);
  useEffect(
    () => () => {
      document.title = t("app.name");
      const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
      if (link !== null) link.href = ICON;
    },
    [],
  );
}
