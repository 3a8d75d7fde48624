// Links by which others come into a room: making one, and what there is.
import {
  type Invite,
  invitePath,
  newSecret,
  type Room,
  RoomRole,
  RoomVisibility,
} from "@parley/client/browser";
import { useCallback, useEffect, useId, useState } from "react";
import { useChat } from "./chat-context.ts";
import { fullTime, plainName } from "./format.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const DURATIONS = [
  [DAY_MS, "a day"],
  [7 * DAY_MS, "a week"],
  [0, "until it is revoked"],
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
    act("The link is made. It is shown this once.", async () => {
      const secret = newSecret();
      await chat.client.call("createInvite", { roomId: room.id, secret, ttlMs });
      setLink(`${location.origin}${invitePath(secret)}`);
      await load();
    });
  const revoke = (inviteId: number) =>
    act("The link admits nobody any more.", async () => {
      await chat.client.call("revokeInvite", { inviteId });
      await load();
    });
  return (
    <details>
      <summary>Invite links</summary>
      <div className="line">
        <label htmlFor={id}>Counts for</label>
        <select id={id} value={ttlMs} onChange={(event) => setTtlMs(Number(event.target.value))}>
          {DURATIONS.map(([ms, name]) => (
            <option key={ms} value={ms}>
              {name}
            </option>
          ))}
        </select>
        <button type="button" onClick={() => void make()}>
          Make a link
        </button>
      </div>
      {link !== "" && (
        <div className="line">
          <input
            readOnly
            value={link}
            aria-label="Invite link"
            onFocus={(event) => event.target.select()}
          />
          {/* Where the browser forbids it, the field can still be copied by hand. */}
          {navigator.clipboard !== undefined && (
            <button
              type="button"
              onClick={() => void act("Copied.", () => navigator.clipboard.writeText(link))}
            >
              Copy
            </button>
          )}
        </div>
      )}
      <ul className="people">
        {invites.map((invite) => (
          <li key={invite.id}>
            <small>
              by <bdi>{plainName(invite.maker?.username ?? "")}</bdi>, used {invite.useCount}
              {invite.usesMax === 0 ? "" : ` of ${invite.usesMax}`} times
              {invite.expiresAtMs === 0 ? "" : `, until ${fullTime(invite.expiresAtMs)}`}
            </small>
            <span className="spacer" />
            <button type="button" className="quiet" onClick={() => void revoke(invite.id)}>
              Revoke
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}
