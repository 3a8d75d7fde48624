// One's own account: name, password, sign-ins on other devices, and its end.
import {
  type Account,
  LIMITS,
  type LoginSession,
  newSecret,
  passwordPath,
  RegistrationMode,
} from "@parley/client/browser";
import {
  type FormEvent,
  useCallback,
  useEffect,
  useId,
  useState,
  useSyncExternalStore,
} from "react";
import {
  canNotify,
  chooseNotify,
  keepQuiet,
  NOTIFY,
  type Notify,
  notifyChoice,
  QUIET,
  QUIET_ALWAYS,
  type Quiet,
  quietUntil,
} from "../chat/notify-choice.ts";
import { saveTellsTyping, tellsTyping } from "../chat/saved.ts";
import { sayProblem } from "../text/problem-text.ts";
import { type PlainKey, t } from "../text/t.ts";
import { useChat } from "./chat-context.ts";
import { fullTime, momentName, plainName } from "./format.ts";
import { Language } from "./language.tsx";
import { Modal } from "./modal.tsx";

interface SettingsDialogProps {
  readonly onClose: () => void;
  /** The account is gone. */
  readonly onDeleted: () => void;
}

export function SettingsDialog({ onClose, onDeleted }: SettingsDialogProps) {
  const chat = useChat();
  const [problem, setProblem] = useState("");
  const [said, setSaid] = useState("");
  async function act(what: string, action: () => Promise<unknown>): Promise<boolean> {
    setProblem("");
    setSaid("");
    try {
      await action();
      setSaid(what);
      return true;
    } catch (cause) {
      sayProblem(cause, setProblem);
      return false;
    }
  }
  return (
    <Modal
      title={t("settings.title", { name: plainName(chat.signIn.username) })}
      onClose={onClose}
      className="wide"
    >
      <p role="status">{said}</p>
      {problem !== "" && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {!globalThis.isSecureContext && <p className="notice">{t("settings.insecure")}</p>}
      <DisplayName act={act} />
      <Language />
      <Notifications />
      <Typing />
      <Receipts act={act} />
      <Password act={act} />
      <Sessions act={act} />
      <FilesKept />
      <BlockedPeople act={act} />
      {chat.client.account?.owner === true && <Registration act={act} />}
      {chat.client.account?.owner === true && <PasswordLink act={act} />}
      <EndOfAccount act={act} onDeleted={onDeleted} />
    </Modal>
  );
}

interface PartProps {
  readonly act: (what: string, action: () => Promise<unknown>) => Promise<boolean>;
}

function DisplayName({ act }: PartProps) {
  const chat = useChat();
  const id = useId();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const displayName = String(new FormData(event.currentTarget).get("name") ?? "").trim();
    void act(t("settings.nameChanged"), () => chat.client.call("updateProfile", { displayName }));
  };
  return (
    <form className="line" onSubmit={submit}>
      <label htmlFor={id}>{t("settings.name")}</label>
      <input
        id={id}
        name="name"
        required
        maxLength={LIMITS.displayNameBytesMax}
        defaultValue={chat.client.account?.displayName ?? ""}
        autoComplete="name"
        data-first-focus
      />
      <button type="submit">{t("app.change")}</button>
    </form>
  );
}

const NOTIFY_NAMES: Readonly<Record<Notify, PlainKey>> = {
  none: "settings.notifyNone",
  mentions: "settings.notifyMentions",
  all: "settings.notifyAll",
};

function Notifications() {
  const id = useId();
  const [choice, setChoice] = useState(notifyChoice);
  const [isRefused, setRefused] = useState(false);
  if (!canNotify()) return null;
  return (
    <>
      <div className="line">
        <label htmlFor={id}>{t("settings.notify")}</label>{" "}
        <select
          id={id}
          value={choice}
          onChange={(event) => {
            const wanted = NOTIFY.find((one) => one === event.target.value) ?? "none";
            void chooseNotify(wanted).then((now) => {
              setChoice(now);
              setRefused(now !== wanted);
            });
          }}
        >
          {NOTIFY.map((one) => (
            <option key={one} value={one}>
              {t(NOTIFY_NAMES[one])}
            </option>
          ))}
        </select>
        <QuietChoice />
      </div>
      {isRefused && <p role="alert">{t("settings.notifyRefused")}</p>}
    </>
  );
}

const QUIET_NAMES: Readonly<Record<Quiet, PlainKey>> = {
  hour: "settings.quietHour",
  morning: "settings.quietMorning",
  always: "settings.quietAlways",
};

function QuietChoice() {
  const id = useId();
  const untilMs = useSyncExternalStore(quietUntil.subscribe, quietUntil.getSnapshot);
  const isTimed = untilMs !== 0 && untilMs !== QUIET_ALWAYS;
  return (
    <>
      <label htmlFor={id}>{t("settings.quiet")}</label>{" "}
      <select
        id={id}
        value={isTimed ? "on" : untilMs === 0 ? "off" : "always"}
        onChange={(event) => keepQuiet(QUIET.find((one) => one === event.target.value))}
      >
        {isTimed && (
          <option value="on">
            {t("settings.quietUntil", { when: momentName(untilMs, Date.now()) })}
          </option>
        )}
        <option value="off">{t("settings.quietOff")}</option>
        {QUIET.map((one) => (
          <option key={one} value={one}>
            {t(QUIET_NAMES[one])}
          </option>
        ))}
      </select>
    </>
  );
}

function Typing() {
  const id = useId();
  const [tells, setTells] = useState(tellsTyping);
  return (
    <div className="line">
      <input
        id={id}
        type="checkbox"
        checked={tells}
        onChange={(event) => {
          saveTellsTyping(event.target.checked);
          setTells(event.target.checked);
        }}
      />
      <label htmlFor={id}>{t("settings.typing")}</label>
    </div>
  );
}

function Receipts({ act }: PartProps) {
  const chat = useChat();
  const id = useId();
  /** Undefined = no node has said yet. */
  const [shown, setShown] = useState<boolean>();
  useEffect(() => {
    let isGone = false;
    chat.client.call("getAccount").then(
      ({ account }) => !isGone && setShown(account?.readsHidden === false),
      () => {},
    );
    return () => {
      isGone = true;
    };
  }, [chat]);
  const change = async (wanted: boolean) => {
    setShown(wanted);
    const text = t(wanted ? "settings.receiptsShown" : "settings.receiptsHidden");
    const isDone = await act(text, () => chat.client.call("setReadReceipts", { shown: wanted }));
    if (!isDone) setShown(!wanted);
  };
  return (
    <div className="line">
      <input
        id={id}
        type="checkbox"
        checked={shown === true}
        disabled={shown === undefined}
        onChange={(event) => void change(event.target.checked)}
      />
      <label htmlFor={id}>{t("settings.receipts")}</label>
    </div>
  );
}

function Password({ act }: PartProps) {
  const chat = useChat();
  const ids = { old: useId(), fresh: useId() };
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const data = new FormData(form);
    const isDone = await act(t("settings.passwordChanged"), () =>
      chat.client.call("changePassword", {
        password: String(data.get("old")),
        newPassword: String(data.get("fresh")),
      }),
    );
    if (isDone) form.reset();
  };
  return (
    <form className="line" onSubmit={(event) => void submit(event)}>
      <label htmlFor={ids.old}>{t("settings.passwordNow")}</label>
      <input id={ids.old} name="old" type="password" required autoComplete="current-password" />
      <label htmlFor={ids.fresh}>{t("settings.passwordNew")}</label>
      <input
        id={ids.fresh}
        name="fresh"
        type="password"
        required
        minLength={LIMITS.passwordBytesMin}
        maxLength={LIMITS.passwordBytesMax}
        autoComplete="new-password"
      />
      <button type="submit">{t("app.change")}</button>
    </form>
  );
}

function Sessions({ act }: PartProps) {
  const chat = useChat();
  const [sessions, setSessions] = useState<readonly LoginSession[]>([]);
  const load = useCallback(async () => {
    const { sessions: found } = await chat.client.call("listSessions");
    setSessions(found);
  }, [chat]);
  useEffect(() => {
    load().catch(() => {});
  }, [load]);
  const end = (session: LoginSession) =>
    void act(t("settings.ended"), async () => {
      await chat.client.call("revokeSession", { sessionId: session.id });
      await load();
    });
  return (
    <section>
      <h3>{t("settings.sessions")}</h3>
      <ul className="people">
        {sessions.map((session) => (
          <li key={session.id}>
            <bdi>
              {session.device === "" ? t("settings.unnamedDevice") : plainName(session.device)}
            </bdi>
            <small>{t("settings.since", { when: fullTime(session.createdAtMs) })}</small>
            <span className="spacer" />
            {session.current ? (
              <small>{t("settings.thisOne")}</small>
            ) : (
              <button type="button" className="quiet" onClick={() => end(session)}>
                {t("settings.end")}
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** How much of what one's files may take they do. */
function FilesKept() {
  const chat = useChat();
  const [bytes, setBytes] = useState(0);
  useEffect(() => {
    const answer = chat.client.call("getAccount", {});
    answer.then(({ fileBytes }) => setBytes(fileBytes)).catch(() => {});
  }, [chat]);
  if (bytes === 0) return null;
  const mebibytes = (count: number) => Math.ceil(count / 1024 / 1024);
  const most = LIMITS.fileBytesPerAccountMax;
  return (
    <p>
      <meter value={bytes} max={most} aria-hidden="true" />{" "}
      {t("settings.files", { size: mebibytes(bytes), most: mebibytes(most) })}
    </p>
  );
}

const MODE_NAMES = [
  [RegistrationMode.REGISTRATION_MODE_OPEN, "settings.everybody"],
  [RegistrationMode.REGISTRATION_MODE_INVITE_ONLY, "settings.invited"],
  [RegistrationMode.REGISTRATION_MODE_CLOSED, "settings.nobody"],
] as const;

/** For the instance's owner. */
function Registration({ act }: PartProps) {
  const chat = useChat();
  const id = useId();
  const [mode, setMode] = useState<RegistrationMode>();
  useEffect(() => {
    let isGone = false;
    chat.client.call("getRegistration").then(
      (now) => !isGone && setMode(now.mode),
      () => {},
    );
    return () => {
      isGone = true;
    };
  }, [chat]);
  if (mode === undefined) return null;
  return (
    <div className="line">
      <label htmlFor={id}>{t("settings.registration")}</label>{" "}
      <select
        id={id}
        value={mode}
        onChange={(event) => {
          const [wanted] = MODE_NAMES.find(([one]) => one === Number(event.target.value)) ?? [mode];
          void act(t("settings.registrationChanged"), async () => {
            await chat.client.call("setRegistration", { mode: wanted });
            setMode(wanted);
          });
        }}
      >
        {MODE_NAMES.map(([one, name]) => (
          <option key={one} value={one}>
            {t(name)}
          </option>
        ))}
      </select>
    </div>
  );
}

/** For the instance's owner. */
function PasswordLink({ act }: PartProps) {
  const chat = useChat();
  const id = useId();
  const [link, setLink] = useState("");
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const username = String(new FormData(event.currentTarget).get("username") ?? "").trim();
    void act(t("settings.linkMade", { name: username }), async () => {
      const secret = newSecret();
      await chat.client.call("createPasswordLink", { username, secret });
      setLink(`${location.origin}${passwordPath(secret)}`);
    });
  };
  return (
    <form className="line" onSubmit={submit}>
      <label htmlFor={id}>{t("settings.forgot")}</label>
      <input id={id} name="username" required autoComplete="off" autoCapitalize="none" />
      <button type="submit">{t("settings.makeLink")}</button>
      {link !== "" && (
        <input
          readOnly
          value={link}
          aria-label={t("settings.passwordLink")}
          onFocus={(event) => event.target.select()}
        />
      )}
    </form>
  );
}

/** Nothing where nobody is. */
function BlockedPeople({ act }: PartProps) {
  const chat = useChat();
  const [accounts, setAccounts] = useState<readonly Account[]>([]);
  const load = useCallback(async () => {
    setAccounts((await chat.client.call("listBlocked")).accounts);
  }, [chat]);
  useEffect(() => {
    load().catch(() => {});
  }, [load]);
  const unblock = ({ username }: Account) =>
    void act(t("settings.unblocked", { name: username }), async () => {
      await chat.client.call("block", { username, blocked: false });
      await load();
    });
  if (accounts.length === 0) return null;
  return (
    <section>
      <h3>{t("settings.blocked")}</h3>
      <ul className="people">
        {accounts.map((account) => (
          <li key={account.id}>
            <bdi>{plainName(account.username)}</bdi>
            <span className="spacer" />
            {!account.deleted && (
              <button type="button" className="quiet" onClick={() => unblock(account)}>
                {t("settings.unblock")}
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function EndOfAccount({ act, onDeleted }: PartProps & { readonly onDeleted: () => void }) {
  const chat = useChat();
  const id = useId();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const password = String(new FormData(event.currentTarget).get("password"));
    if (!confirm(t("settings.confirmDelete"))) return;
    const isDone = await act("", () => chat.client.call("deleteAccount", { password }));
    if (isDone) onDeleted();
  };
  return (
    <details>
      <summary>{t("settings.deleteAccount")}</summary>
      <p>{t("settings.deleteWhat")}</p>
      <form className="line" onSubmit={(event) => void submit(event)}>
        <label htmlFor={id}>{t("settings.password")}</label>
        <input id={id} name="password" type="password" required autoComplete="current-password" />
        <button type="submit">{t("settings.deleteMine")}</button>
      </form>
    </details>
  );
}
