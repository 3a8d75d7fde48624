// One dot and one name; a sentence only when something lasts. Never in the way.
import type { Health } from "@parley/client/browser";
import { t } from "../text/t.ts";
import { useHealth } from "./chat-context.ts";
import { clockTime } from "./format.ts";

export function healthText(health: Health): string {
  switch (health.kind) {
    case "connecting": {
      const { waiting: count } = health;
      return count === 0 ? t("health.connecting") : t("health.connectingWaiting", { count });
    }
    case "online": {
      const [node, nodes] = [`${health.nodeId}`, health.unreached.join(", ")];
      const count = health.unreached.length;
      return count === 0
        ? t("health.online", { node })
        : t("health.onlineUnreached", { node, nodes, count });
    }
    case "reconnecting": {
      const { waiting: count } = health;
      return count === 0 ? t("health.reconnecting") : t("health.reconnectingWaiting", { count });
    }
    case "read-only": {
      const { waiting: count } = health;
      const time = clockTime(health.asOfMs);
      return count === 0
        ? t("health.readOnly", { time })
        : t("health.readOnlyWaiting", { time, count });
    }
    case "closed":
      return t("health.closed");
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
      title={t("health.show")}
    >
      <span className="dot" aria-hidden="true" />
      <span role="status">{healthText(health)}</span>
    </button>
  );
}
