// The signed-in page: sidebar, room, and what opens above them.
import type { Attachment, ParleyError } from "@parley/client/browser";
import { Suspense, useEffect, useState } from "react";
import { type PlainKey, t } from "../text/t.ts";
import { useAttention } from "./attention.ts";
import { Boundary, DialogBoundary, WentWrong } from "./boundary.tsx";
import { ShowPictureContext, useChat, useRooms } from "./chat-context.ts";
import { KeepingBanner } from "./keeping-notice.tsx";
import {
  ClusterDialog,
  Directory,
  fetchParts,
  Leftovers,
  MembersDialog,
  NewRoom,
  notifyOf,
  PictureDialog,
  PinsDialog,
  SearchDialog,
  SettingsDialog,
  Shortcuts,
  SignOut,
  Welcome,
} from "./later.ts";
import { QuickSwitcher } from "./quick-switcher.tsx";
import { RoomPage } from "./room-page.tsx";
import { goTo, useRoute } from "./route.ts";
import { Sidebar } from "./sidebar.tsx";

export type Dialog =
  | "switcher"
  | "directory"
  | "new-room"
  | "cluster"
  | "shortcuts"
  | "members"
  | "pins"
  | "search"
  | "search-here"
  | "settings"
  | "sign-out";

interface ShellProps {
  readonly durability: ParleyError | undefined;
  readonly onSignOut: () => void;
}

export function Shell({ durability, onSignOut }: ShellProps) {
  const route = useRoute();
  const { loaded, rooms } = useRooms();
  const [dialog, setDialog] = useState<Dialog>();
  // One that ends later than the person waited for it closes itself alone.
  const closing = (one: Dialog) => () => setDialog((now) => (now === one ? undefined : now));
  const [picture, setPicture] = useState<Attachment>();
  const room = rooms.find(({ id }) => id === route.roomId);
  useShortcuts(setDialog);
  useAttention();
  const chat = useChat();
  useEffect(() => notifyOf(chat), [chat]);
  useEffect(fetchParts, []);
  const notice = useRoomRemoved(route.roomId);
  return (
    <div className="shell" data-in-room={room !== undefined}>
      <Boundary
        instead={(again) => (
          <div className="sidebar">
            <WentWrong onAgain={again} />
          </div>
        )}
      >
        <Sidebar openRoomId={room?.id ?? 0} onDialog={setDialog} />
      </Boundary>
      <ShowPictureContext value={setPicture}>
        <main>
          <Boundary>
            <KeepingBanner outbox={durability} />
            <Suspense fallback={null}>
              <Leftovers />
            </Suspense>
          </Boundary>
          <Boundary
            key={route.roomId}
            instead={(again) => (
              <>
                <h1 className="sr-only">{t("wrong.title")}</h1>
                <WentWrong onAgain={again}>
                  {route.roomId > 0 && (
                    <button type="button" className="quiet" onClick={() => goTo(0)}>
                      {t("room.back")}
                    </button>
                  )}
                </WentWrong>
              </>
            )}
          >
            {room !== undefined ? (
              <RoomPage
                key={room.id}
                room={room}
                seq={route.seq}
                thread={route.thread}
                onDialog={setDialog}
              />
            ) : (
              <Suspense fallback={null}>
                <Welcome
                  isLoaded={loaded}
                  isMissing={route.roomId !== 0}
                  notice={notice}
                  onDialog={setDialog}
                />
              </Suspense>
            )}
          </Boundary>
        </main>
      </ShowPictureContext>
      <DialogBoundary key={dialog ?? ""} onClose={() => setDialog(undefined)}>
        <Suspense fallback={null}>
          {dialog === "switcher" && <QuickSwitcher onClose={closing("switcher")} />}
          {dialog === "directory" && <Directory onClose={closing("directory")} />}
          {dialog === "new-room" && <NewRoom onClose={closing("new-room")} />}
          {dialog === "cluster" && <ClusterDialog onClose={closing("cluster")} />}
          {dialog === "shortcuts" && <Shortcuts onClose={closing("shortcuts")} />}
          {dialog === "members" && room !== undefined && (
            <MembersDialog room={room} onClose={closing("members")} />
          )}
          {dialog === "pins" && room !== undefined && (
            <PinsDialog room={room} onClose={closing("pins")} />
          )}
          {dialog === "search" && <SearchDialog room={undefined} onClose={closing("search")} />}
          {dialog === "search-here" && (
            <SearchDialog room={room} onClose={closing("search-here")} />
          )}
          {dialog === "settings" && (
            <SettingsDialog onClose={closing("settings")} onDeleted={onSignOut} />
          )}
          {dialog === "sign-out" && <SignOut onClose={closing("sign-out")} onSignOut={onSignOut} />}
        </Suspense>
      </DialogBoundary>
      <DialogBoundary key={`picture ${picture?.fileId}`} onClose={() => setPicture(undefined)}>
        <Suspense fallback={null}>
          {picture !== undefined && (
            <PictureDialog file={picture} onClose={() => setPicture(undefined)} />
          )}
        </Suspense>
      </DialogBoundary>
    </div>
  );
}

function useShortcuts(open: (dialog: Dialog) => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
        event.preventDefault();
        toNeighbour(event.key === "ArrowUp" ? -1 : 1);
        return;
      }
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        open("switcher");
      } else if ((event.ctrlKey || event.metaKey) && event.key === "/") {
        event.preventDefault();
        open("shortcuts");
      } else if ((event.ctrlKey || event.metaKey) && event.shiftKey && event.code === "KeyF") {
        event.preventDefault();
        open("search");
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [open]);
}

/** The room above or below in the sidebar, as it is shown. */
function toNeighbour(step: number): void {
  const links = [...document.querySelectorAll<HTMLAnchorElement>(".sidebar a.room")];
  const at = links.findIndex((link) => link.getAttribute("aria-current") === "page");
  links[at < 0 ? 0 : (at + step + links.length) % links.length]?.click();
}

/** By the number that stands for the reason. */
const REASONS: readonly PlainKey[] = [
  "welcome.gone",
  "welcome.left",
  "welcome.removed",
  "welcome.banned",
  "welcome.deleted",
];

/** Closes the room that one is no longer in; what is to be said of it, until another one is opened. */
function useRoomRemoved(openRoomId: number): string {
  const chat = useChat();
  const [notice, setNotice] = useState("");
  useEffect(
    () =>
      chat.sync.onEvents((events) => {
        for (const { event } of events) {
          if (event?.$case !== "roomRemoved" || event.value.roomId !== openRoomId) continue;
          setNotice(t(REASONS[event.value.reason] ?? "welcome.gone"));
          goTo(0);
        }
      }),
    [chat, openRoomId],
  );
  return openRoomId === 0 ? notice : "";
}
