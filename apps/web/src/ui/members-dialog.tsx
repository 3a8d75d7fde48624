// Who is in a room, and what may be done about it.
import {
  type Account,
  mayNotWrite,
  type Room,
  type RoomMember,
  RoomRole,
} from "@parley/client/browser";
import { type FormEvent, useCallback, useEffect, useId, useState } from "react";
import { sayProblem } from "../text/problem-text.ts";
import { type PlainKey, t } from "../text/t.ts";
import { serverNowMs, useBlocked, useChat, usePresent, useShown } from "./chat-context.ts";
import { momentName, plainName, presenceText } from "./format.ts";
import { InviteLinks } from "./invite-links.tsx";
import { Modal } from "./modal.tsx";
import { PresenceDot } from "./presence-dot.tsx";
import { RoomForm } from "./room-form.tsx";

const PAGE = 200;
const ROLE_NAMES: Readonly<Record<number, PlainKey>> = { 2: "members.admin", 3: "members.owner" };

const HOUR_MS = 60 * 60 * 1000;
/** How long somebody is muted for, milliseconds; 0 = until it is lifted. */
const MUTES = [
  [HOUR_MS, "members.hour"],
  [24 * HOUR_MS, "members.day"],
  [7 * 24 * HOUR_MS, "members.week"],
  [0, "members.always"],
] as const;

/** Of a plain member, nothing. */
function roleName(role: RoomRole): string {
  const key = ROLE_NAMES[role];
  return key === undefined ? "" : t(key);
}

interface MembersDialogProps {
  readonly room: Room;
  readonly onClose: () => void;
}

export function MembersDialog({ room, onClose }: MembersDialogProps) {
  const chat = useChat();
  const blocked = useBlocked();
  const [members, setMembers] = useState<readonly RoomMember[]>([]);
  const [problem, setProblem] = useState("");
  const [said, setSaid] = useState("");
  const id = useId();
  const muteId = useId();
  const [muteMs, setMuteMs] = useState<number>(HOUR_MS);
  const load = useCallback(async () => {
    const page = await chat.client.call("listMembers", { roomId: room.id, pageSize: PAGE });
    setMembers(page.members);
  }, [chat, room.id]);
  useEffect(() => {
    load().catch((cause: unknown) => sayProblem(cause, setProblem));
  }, [load]);
  async function act(what: string, action: () => Promise<unknown>) {
    setProblem("");
    setSaid("");
    try {
      await action();
      await load();
      setSaid(what);
    } catch (cause) {
      sayProblem(cause, setProblem);
    }
  }
  async function invite(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    const username = String(new FormData(form).get("username") ?? "").trim();
    if (username === "") return;
    await act(t("members.isIn", { name: username }), async () => {
      await chat.client.call("inviteMember", { roomId: room.id, username });
      form.reset();
    });
  }
  const nowMs = serverNowMs(chat);
  useShown(members.flatMap(({ account }) => account?.id ?? []));
  const isAdmin = room.role >= RoomRole.ROOM_ROLE_ADMIN;
  const isOwner = room.role === RoomRole.ROOM_ROLE_OWNER;
  async function leave(operation: "leaveRoom" | "deleteRoom", question: string) {
    if (!confirm(question)) return;
    try {
      await chat.client.call(operation, { roomId: room.id });
      onClose();
    } catch (cause) {
      sayProblem(cause, setProblem);
    }
  }
  return (
    <Modal
      title={t("members.title", { room: plainName(room.name) })}
      onClose={onClose}
      className="wide"
    >
      <form className="line" onSubmit={(event) => void invite(event)}>
        <label htmlFor={id}>{t("members.invite")}</label>
        <input id={id} name="username" autoComplete="off" autoCapitalize="none" data-first-focus />
        <button type="submit" className="primary">
          {t("members.inviteButton")}
        </button>
      </form>
      <p role="status">{said}</p>
      {problem !== "" && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <InviteLinks room={room} act={act} />
      {isAdmin && <RoomForm room={room} act={act} />}
      {isAdmin && (
        <div className="line">
          <label htmlFor={muteId}>{t("members.muteFor")}</label>{" "}
          <select
            id={muteId}
            value={muteMs}
            onChange={(event) => setMuteMs(Number(event.target.value))}
          >
            {MUTES.map(([ms, name]) => (
              <option key={ms} value={ms}>
                {t(name)}
              </option>
            ))}
          </select>
        </div>
      )}
      <ul className="people">
        {members.map(({ account, role, ...writing }) =>
          account === undefined ? null : (
            <li key={account.id}>
              <Who account={account} role={role} />
              {mayNotWrite(writing, nowMs) && (
                <small>
                  {writing.writeForbiddenUntilMs > 0
                    ? t("members.mutedUntil", {
                        when: momentName(writing.writeForbiddenUntilMs, nowMs),
                      })
                    : t("members.muted")}
                </small>
              )}
              <span className="spacer" />
              {account.id !== chat.accountId && (
                <button
                  type="button"
                  className="quiet"
                  onClick={() => {
                    const isBlocked = blocked.has(account.id);
                    const { username } = account;
                    void act(
                      t(isBlocked ? "members.isUnblocked" : "members.isBlocked", {
                        name: username,
                      }),
                      () => chat.client.call("block", { username, blocked: !isBlocked }),
                    );
                  }}
                >
                  {t(blocked.has(account.id) ? "members.unblock" : "members.block")}
                </button>
              )}
              {isOwner && account.id !== chat.accountId && role !== RoomRole.ROOM_ROLE_OWNER && (
                <button
                  type="button"
                  className="quiet"
                  onClick={() =>
                    void act(t("members.done"), () =>
                      chat.client.call("setRole", {
                        roomId: room.id,
                        username: account.username,
                        role:
                          role === RoomRole.ROOM_ROLE_ADMIN
                            ? RoomRole.ROOM_ROLE_MEMBER
                            : RoomRole.ROOM_ROLE_ADMIN,
                      }),
                    )
                  }
                >
                  {t(
                    role === RoomRole.ROOM_ROLE_ADMIN ? "members.makeMember" : "members.makeAdmin",
                  )}
                </button>
              )}
              {isAdmin && account.id !== chat.accountId && role < room.role && (
                <>
                  <button
                    type="button"
                    className="quiet"
                    onClick={() => {
                      const { username } = account;
                      const muted = !mayNotWrite(writing, nowMs);
                      void act(
                        t(muted ? "members.cantWrite" : "members.canWrite", { name: username }),
                        () =>
                          chat.client.call("muteMember", {
                            roomId: room.id,
                            username,
                            muted,
                            durationMs: muted ? muteMs : 0,
                          }),
                      );
                    }}
                  >
                    {t(mayNotWrite(writing, nowMs) ? "members.unmute" : "members.mute")}
                  </button>
                  <button
                    type="button"
                    className="quiet"
                    onClick={() =>
                      void act(t("members.removed", { name: account.username }), () =>
                        chat.client.call("removeMember", {
                          roomId: room.id,
                          username: account.username,
                        }),
                      )
                    }
                  >
                    {t("members.remove")}
                  </button>
                  <button
                    type="button"
                    className="quiet"
                    onClick={() =>
                      void act(t("members.banned", { name: account.username }), () =>
                        chat.client.call("removeMember", {
                          roomId: room.id,
                          username: account.username,
                          ban: true,
                        }),
                      )
                    }
                  >
                    {t("members.ban")}
                  </button>
                </>
              )}
            </li>
          ),
        )}
      </ul>
      {room.memberCount > PAGE && (
        <p className="empty">{t("members.first", { shown: PAGE, all: room.memberCount })}</p>
      )}
      <footer className="row-buttons">
        <button
          type="button"
          className="quiet"
          onClick={() => void leave("leaveRoom", t("members.confirmLeave", { room: room.name }))}
        >
          {t("members.leave")}
        </button>
        {isOwner && (
          <button
            type="button"
            className="quiet"
            onClick={() =>
              void leave("deleteRoom", t("members.confirmDelete", { room: room.name }))
            }
          >
            {t("members.deleteRoom")}
          </button>
        )}
      </footer>
    </Modal>
  );
}

function Who({ account, role }: { readonly account: Account; readonly role: RoomRole }) {
  const chat = useChat();
  const present = usePresent(account) ?? account;
  const said = [roleName(role), presenceText(present, serverNowMs(chat))];
  return (
    <>
      <PresenceDot isOnline={present.online} />
      <bdi>{plainName(account.displayName === "" ? account.username : account.displayName)}</bdi>
      <small>
        <bdi>@{plainName(account.username)}</bdi> {said.filter((text) => text !== "").join(", ")}
      </small>
    </>
  );
}
