// Links by which others come into a room: making one, and what there is.
import {
  type Invite,
  invitePath,
  newSecret,
  type Room,
  RoomRole,
  RoomVisibility,
} from "@parley/client/browser";
import { type ReactNode, useCallback, useEffect, useId, useState } from "react";
import { rich } from "../text/rich.ts";
import { t } from "../text/t.ts";
import { useChat } from "./chat-context.ts";
import { fullTime, plainName } from "./format.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const DURATIONS = [
  [DAY_MS, "links.day"],
  [7 * DAY_MS, "links.week"],
  [0, "links.always"],
] as const;

interface InviteLinksProps {
  readonly room: Room;
  readonly act: (what: string, action: () => Promise<unknown>) => Promise<void>;
}

/** Whoever may not make one sees nothing of it. */
export function InviteLinks({ room, act }: InviteLinksProps) {
  const mayInvite =
    room.visibility === RoomVisibility.ROOM_VISIBILITY_PUBLIC ||
    room.role >= RoomRole.ROOM_ROLE_ADMIN;
  return mayInvite ? <Links room={room} act={act} /> : null;
}

function usesOf({ maker, useCount: uses, usesMax: most, expiresAtMs }: Invite): ReactNode {
  const who = <bdi>{plainName(maker?.username ?? "")}</bdi>;
  const when = expiresAtMs === 0 ? "" : fullTime(expiresAtMs);
  if (most === 0) {
    return when === ""
      ? rich("links.used", { maker: who, uses })
      : rich("links.usedUntil", { maker: who, uses, when });
  }
  return when === ""
    ? rich("links.usedOf", { maker: who, uses, most })
    : rich("links.usedOfUntil", { maker: who, uses, most, when });
}

function Links({ room, act }: InviteLinksProps) {
  const chat = useChat();
  const id = useId();
  const [ttlMs, setTtlMs] = useState<number>(7 * DAY_MS);
  const [link, setLink] = useState("");
  const [invites, setInvites] = useState<readonly Invite[]>([]);
  const load = useCallback(async () => {
    const { invites: found } = await chat.client.call("listInvites", { roomId: room.id });
    setInvites(found);
  }, [chat, room.id]);
  useEffect(() => {
    load().catch(() => {});
  }, [load]);
  const make = () =>
    act(t("links.made"), async () => {
      const secret = newSecret();
      await chat.client.call("createInvite", { roomId: room.id, secret, ttlMs });
      setLink(`${location.origin}${invitePath(secret)}`);
      await load();
    });
  const revoke = (inviteId: number) =>
    act(t("links.revoked"), async () => {
      await chat.client.call("revokeInvite", { inviteId });
      await load();
    });
  return (
    <details>
      <summary>{t("links.title")}</summary>
      <div className="line">
        <label htmlFor={id}>{t("links.duration")}</label>
        <select id={id} value={ttlMs} onChange={(event) => setTtlMs(Number(event.target.value))}>
          {DURATIONS.map(([ms, name]) => (
            <option key={ms} value={ms}>
              {t(name)}
            </option>
          ))}
        </select>
        <button type="button" onClick={() => void make()}>
          {t("links.make")}
        </button>
      </div>
      {link !== "" && (
        <div className="line">
          <input
            readOnly
            value={link}
            aria-label={t("links.link")}
            onFocus={(event) => event.target.select()}
          />
          {/* Where the browser forbids it, the field can still be copied by hand. */}
          {navigator.clipboard !== undefined && (
            <button
              type="button"
              onClick={() => void act(t("links.copied"), () => navigator.clipboard.writeText(link))}
            >
              {t("app.copy")}
            </button>
          )}
        </div>
      )}
      <ul className="people">
        {invites.map((invite) => (
          <li key={invite.id}>
            <small>{usesOf(invite)}</small>
            <span className="spacer" />
            <button type="button" className="quiet" onClick={() => void revoke(invite.id)}>
              {t("links.revoke")}
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}
