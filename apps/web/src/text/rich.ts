// A text of the catalogue with elements in its slots.
import { createElement, Fragment, type ReactNode } from "react";
import { english } from "./english.ts";
import { piecesOf, type TextKey, type Values } from "./t.ts";

/** As `t`, for what is more than a string: a name that is isolated from the direction of the words around it, a key, a moment. */
export function rich<Key extends TextKey>(
  key: Key,
  ...[values]: Values<Key, ReactNode>
): ReactNode {
  return createElement(Fragment, null, ...piecesOf<ReactNode>(english[key], values ?? {}));
}
