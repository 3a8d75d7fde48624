// One dot and one name; a sentence only when something lasts. Never in the way.
import type { Health } from "@parley/client/browser";
import { useHealth } from "./chat-context.ts";
import { clockTime } from "./format.ts";

function waitingText(waiting: number): string {
  if (waiting === 0) return "";
  return waiting === 1 ? "; 1 message waiting" : `; ${waiting} messages waiting`;
}

export function healthText(health: Health): string {
  switch (health.kind) {
    case "connecting":
      return `Connecting …${waitingText(health.waiting)}`;
    case "online":
      return `node ${health.nodeId}`;
    case "reconnecting":
      return `Reconnecting, your messages are kept${waitingText(health.waiting)}`;
    case "read-only":
      return `Read-only, as of ${clockTime(health.asOfMs)}${waitingText(health.waiting)}`;
    case "closed":
      return "Closed";
  }
}

export function HealthPill({ onOpen }: { readonly onOpen: () => void }) {
  const health = useHealth();
  return (
    <button
      type="button"
      className="pill"
      data-kind={health.kind}
      onClick={onOpen}
      title="Show the cluster"
    >
      <span className="dot" aria-hidden="true" />
      <span role="status">{healthText(health)}</span>
    </button>
  );
}
