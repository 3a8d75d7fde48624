// What is not needed before the first room is shown: it comes right after it, so that it is there when the node that served the page is not.
import { lazy } from "react";
import type { Chat } from "../chat/chat.ts";
import { eventually } from "./eventually.ts";
import { goTo, parse, pathOf } from "./route.ts";

const members = () => import("./members-dialog.tsx");
const search = () => import("./search-dialog.tsx");
const settings = () => import("./settings-dialog.tsx");
const cluster = () => import("./cluster-dialog.tsx");
const directory = () => import("./directory.tsx");
const newRoom = () => import("./new-room.tsx");
const pins = () => import("./pins-dialog.tsx");
const picture = () => import("./picture-dialog.tsx");
const signOut = () => import("./sign-out.tsx");
const shortcuts = () => import("./shortcuts.tsx");
const thread = () => import("./thread-panel.tsx");
const selection = () => import("./selection-bar.tsx");
const welcome = () => import("./welcome.tsx");
const signedOut = () => import("./signed-out.ts");
const leftovers = () => import("./leftovers.tsx");
const emoji = () => import("./emoji-dialog.tsx");
const oneFile = () => import("./one-file.tsx");
const notifications = () => import("../chat/notifications.ts");
const PARTS = [
  members,
  search,
  settings,
  cluster,
  directory,
  newRoom,
  pins,
  picture,
  signOut,
  shortcuts,
  thread,
  selection,
  welcome,
  signedOut,
  leftovers,
  emoji,
  oneFile,
];

export const MembersDialog = lazy(async () => ({
  default: (await eventually(members)).MembersDialog,
}));
export const SearchDialog = lazy(async () => ({
  default: (await eventually(search)).SearchDialog,
}));
export const SettingsDialog = lazy(async () => ({
  default: (await eventually(settings)).SettingsDialog,
}));
export const ClusterDialog = lazy(async () => ({
  default: (await eventually(cluster)).ClusterDialog,
}));
export const Directory = lazy(async () => ({ default: (await eventually(directory)).Directory }));
export const NewRoom = lazy(async () => ({ default: (await eventually(newRoom)).NewRoom }));
export const PinsDialog = lazy(async () => ({ default: (await eventually(pins)).PinsDialog }));
export const SignOut = lazy(async () => ({ default: (await eventually(signOut)).SignOut }));
export const Shortcuts = lazy(async () => ({ default: (await eventually(shortcuts)).Shortcuts }));
export const ThreadPanel = lazy(async () => ({ default: (await eventually(thread)).ThreadPanel }));
export const SelectionBar = lazy(async () => ({
  default: (await eventually(selection)).SelectionBar,
}));
export const OneFile = lazy(async () => ({ default: (await eventually(oneFile)).OneFile }));
export const Welcome = lazy(async () => ({ default: (await eventually(welcome)).Welcome }));
export const Leftovers = lazy(async () => ({ default: (await eventually(leftovers)).Leftovers }));
export const EmojiDialog = lazy(async () => ({ default: (await eventually(emoji)).EmojiDialog }));
export const SignInPage = lazy(async () => ({ default: (await eventually(signedOut)).SignInPage }));
/** Of those who come by a link: nobody waits for them who does not. */
export const PasswordPage = lazy(async () => ({
  default: (await eventually(signedOut)).PasswordPage,
}));
export const InviteDialog = lazy(async () => ({
  default: (await eventually(() => import("./invite-dialog.tsx"))).InviteDialog,
}));
export const PictureDialog = lazy(async () => ({
  default: (await eventually(picture)).PictureDialog,
}));

/** Tells of new messages in the background, from when this part of the page is there. Returns how to stop it. */
export function notifyOf(chat: Chat): () => void {
  let stop: (() => void) | undefined;
  let isOver = false;
  void eventually(notifications).then((part) => {
    if (isOver) return;
    stop = part.notifyOf(chat, {
      pathOf: ({ roomId, seq, threadRootSeq }) => pathOf({ roomId, seq, thread: threadRootSeq }),
      open: (path) => {
        const { roomId, seq, thread } = parse(path);
        goTo(roomId, seq, thread);
      },
    });
  });
  return () => {
    isOver = true;
    stop?.();
  };
}

/** What does not come now is asked for again when it is opened, until it comes. */
export function fetchParts(): void {
  for (const load of PARTS) load().catch(() => {});
}
