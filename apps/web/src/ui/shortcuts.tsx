import { Modal } from "./modal.tsx";

const KEYS: readonly (readonly [string, string])[] = [
  ["Ctrl K", "Jump to a room or person"],
  ["Ctrl Shift F", "Search messages"],
  ["Ctrl /", "This list"],
  ["Enter", "Send"],
  ["Shift Enter", "New line"],
  ["↑", "Edit your last message (in an empty field)"],
  ["↑ / ↓ in the messages", "Go from one to another; Tab: what can be done with it"],
  ["/ in the messages", "Search this room"],
  ["Escape", "Leave editing, close a thread or a dialog"],
  ["Alt ↑ / Alt ↓", "Previous, next room"],
];

export function Shortcuts({ onClose }: { readonly onClose: () => void }) {
  return (
    <Modal title="Keyboard" onClose={onClose}>
      <dl className="keys">
        {KEYS.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}
