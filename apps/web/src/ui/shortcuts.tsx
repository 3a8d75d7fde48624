import { type PlainKey, t } from "../text/t.ts";
import { Modal } from "./modal.tsx";

const KEYS: readonly (readonly [keys: string, what: PlainKey])[] = [
  ["Ctrl K", "keys.jump"],
  ["Ctrl Shift F", "keys.search"],
  ["Ctrl /", "keys.list"],
  ["Enter", "keys.send"],
  ["Shift Enter", "keys.newLine"],
  ["↑", "keys.editLast"],
  ["↑ / ↓ in the messages", "keys.messages"],
  ["/ in the messages", "keys.searchHere"],
  ["Escape", "keys.leave"],
  ["Alt ↑ / Alt ↓", "keys.neighbour"],
];

export function Shortcuts({ onClose }: { readonly onClose: () => void }) {
  return (
    <Modal title={t("keys.title")} onClose={onClose}>
      <dl className="keys">
        {KEYS.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{t(what)}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}
