// Dialogs that are not needed before the first room is shown: they come right after it, so that they are there when the node that served
// the page is not.
import { lazy } from "react";

const members = () => import("./members-dialog.tsx");
const search = () => import("./search-dialog.tsx");
const settings = () => import("./settings-dialog.tsx");
const cluster = () => import("./cluster-dialog.tsx");
const directory = () => import("./directory.tsx");
const newRoom = () => import("./new-room.tsx");
const pins = () => import("./pins-dialog.tsx");

export const MembersDialog = lazy(async () => ({ default: (await members()).MembersDialog }));
export const SearchDialog = lazy(async () => ({ default: (await search()).SearchDialog }));
export const SettingsDialog = lazy(async () => ({ default: (await settings()).SettingsDialog }));
export const ClusterDialog = lazy(async () => ({ default: (await cluster()).ClusterDialog }));
export const Directory = lazy(async () => ({ default: (await directory()).Directory }));
export const NewRoom = lazy(async () => ({ default: (await newRoom()).NewRoom }));
export const PinsDialog = lazy(async () => ({ default: (await pins()).PinsDialog }));

/** What does not come now is asked for again when it is opened. */
export function fetchDialogs(): void {
  for (const load of [members, search, settings, cluster, directory, newRoom, pins])
    load().catch(() => {});
}
