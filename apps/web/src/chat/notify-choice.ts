// What this browser tells of while nobody looks at the page, and for how long it tells of nothing ("do not disturb").
import type { Observable } from "@parley/client/browser";
import { keptValue, read, write } from "./saved.ts";

export const NOTIFY = ["none", "mentions", "all"] as const;
export type Notify = (typeof NOTIFY)[number];

export const QUIET = ["hour", "morning", "always"] as const;
export type Quiet = (typeof QUIET)[number];

/** The end of what is turned off by hand. */
export const QUIET_ALWAYS = Number.MAX_SAFE_INTEGER;

const NOTIFY_KEY = "parley:notify";
const QUIET_KEY = "parley:quiet-until";
const HOUR_MS = 60 * 60 * 1000;
const MORNING_HOUR = 8;
/** Whoever is up before it means the morning that comes, not the one after. */
const NIGHT_ENDS_HOUR = 5;
/** A longer timer would end at once. */
const TIMER_MS_MAX = 24 * HOUR_MS;

/** On plain http:// beyond loopback the browser would refuse. */
export function canNotify(): boolean {
  return globalThis.isSecureContext && "Notification" in globalThis;
}

export function notifyChoice(): Notify {
  const saved = read(NOTIFY_KEY);
  return NOTIFY.find((one) => one === saved) ?? "none";
}

/** Asks the browser for leave when it is needed. Resolves with what holds now: "none" when it refuses. */
export async function chooseNotify(choice: Notify): Promise<Notify> {
  const isAllowed =
    choice === "none" || (canNotify() && (await Notification.requestPermission()) === "granted");
  const chosen = isAllowed ? choice : "none";
  write(NOTIFY_KEY, chosen);
  return chosen;
}

/** When it ends if it begins now; milliseconds since the Unix epoch by this device's clock. */
export function quietEndMs(choice: Quiet, nowMs: number): number {
  if (choice === "always") return QUIET_ALWAYS;
  if (choice === "hour") return nowMs + HOUR_MS;
  const now = new Date(nowMs);
  const day = now.getDate() + (now.getHours() < NIGHT_ENDS_HOUR ? 0 : 1);
  return new Date(now.getFullYear(), now.getMonth(), day, MORNING_HOUR).getTime();
}

const listeners = new Set<() => void>();

/** Undefined ends it. It holds for all tabs of this browser. */
export function keepQuiet(choice: Quiet | undefined): void {
  write(QUIET_KEY, choice === undefined ? undefined : String(quietEndMs(choice, Date.now())));
  for (const listener of [...listeners]) listener();
}

/** Until when nothing is told: 0 = it is, else milliseconds since the Unix epoch or `QUIET_ALWAYS`. */
export const quietUntil: Observable<number> = {
  getSnapshot: () => {
    const untilMs = keptValue(QUIET_KEY);
    return typeof untilMs === "number" && untilMs > Date.now() ? untilMs : 0;
  },
  subscribe: (listener) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const changed = () => {
      clearTimeout(timer);
      const leftMs = quietUntil.getSnapshot() - Date.now();
      if (leftMs > 0) timer = setTimeout(changed, Math.min(leftMs + 50, TIMER_MS_MAX));
      listener();
    };
    const onStorage = ({ key }: StorageEvent) => {
      if (key === QUIET_KEY || key === null) changed();
    };
    listeners.add(changed);
    window.addEventListener("storage", onStorage);
    changed();
    return () => {
      clearTimeout(timer);
      listeners.delete(changed);
      window.removeEventListener("storage", onStorage);
    };
  },
};
