import { rich } from "../text/rich.ts";
import { type PlainKey, t } from "../text/t.ts";
import { Modal } from "./modal.tsx";

/** Where a key counts, when it is not everywhere. */
const IN_MESSAGES = "keys.inMessages";

const KEYS: readonly (readonly [keys: string, what: PlainKey, where?: "keys.inMessages"])[] = [
  ["Ctrl K", "keys.jump"],
  ["Ctrl Shift F", "keys.search"],
  ["Ctrl /", "keys.list"],
  ["Enter", "keys.send"],
  ["Shift Enter", "keys.newLine"],
  ["↑", "keys.editLast"],
  ["↑ / ↓", "keys.messages", IN_MESSAGES],
  ["/", "keys.searchHere", IN_MESSAGES],
  ["Escape", "keys.leave"],
  ["Alt ↑ / Alt ↓", "keys.neighbour"],
];

export function Shortcuts({ onClose }: { readonly onClose: () => void }) {
  return (
    <Modal title={t("keys.title")} onClose={onClose}>
      <dl className="keys">
        {KEYS.map(([keys, what, where]) => (
          <div key={keys}>
            <dt>
              {where === undefined ? <kbd>{keys}</kbd> : rich(where, { keys: <kbd>{keys}</kbd> })}
            </dt>
            <dd>{t(what)}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}
