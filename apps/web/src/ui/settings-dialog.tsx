// One's own account: name, password, sign-ins on other devices, and its end.
import {
  type Account,
  LIMITS,
  type LoginSession,
  newSecret,
  passwordPath,
  RegistrationMode,
} from "@parley/client/browser";
import { type FormEvent, useCallback, useEffect, useId, useState } from "react";
import {
  canNotify,
  chooseNotify,
  NOTIFY,
  type Notify,
  notifyChoice,
} from "../chat/notifications.ts";
import { saveTellsTyping, tellsTyping } from "../chat/saved.ts";
import { useChat } from "./chat-context.ts";
import { fullTime, plainName, problemText } from "./format.ts";
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
      setProblem(problemText(cause));
      return false;
    }
  }
  return (
    <Modal
      title={`Account of ${plainName(chat.signIn.username)}`}
      onClose={onClose}
      className="wide"
    >
      <p role="status">{said}</p>
      {problem !== "" && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <DisplayName act={act} />
      <Notifications />
      <Typing />
      <Receipts act={act} />
      <Password act={act} />
      <Sessions act={act} />
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
    void act("The name is changed.", () => chat.client.call("updateProfile", { displayName }));
  };
  return (
    <form className="line" onSubmit={submit}>
      <label htmlFor={id}>Name that others see</label>
      <input
        id={id}
        name="name"
        required
        maxLength={LIMITS.displayNameBytesMax}
        defaultValue={chat.client.account?.displayName ?? ""}
        autoComplete="name"
        data-first-focus
      />
      <button type="submit">Change</button>
    </form>
  );
}

const NOTIFY_NAMES: Readonly<Record<Notify, string>> = {
  none: "nothing",
  mentions: "mentions of me and direct messages",
  all: "every message",
};

function Notifications() {
  const id = useId();
  const [choice, setChoice] = useState(notifyChoice);
  if (!canNotify()) return null;
  return (
    <div className="line">
      <label htmlFor={id}>While this page is in the background, tell me of</label>{" "}
      <select
        id={id}
        value={choice}
        onChange={(event) => {
          const wanted = NOTIFY.find((one) => one === event.target.value) ?? "none";
          void chooseNotify(wanted).then(setChoice);
        }}
      >
        {NOTIFY.map((one) => (
          <option key={one} value={one}>
            {NOTIFY_NAMES[one]}
          </option>
        ))}
      </select>
    </div>
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
      <label htmlFor={id}>Others see when I am typing (from this browser)</label>
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
    const text = wanted ? "Others see it, and you see it of them." : "Nobody sees it.";
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
      <label htmlFor={id}>
        In small rooms others see how far I have read, and I see it of them (all my devices)
      </label>
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
    const isDone = await act("The password is changed; your other sign-ins are ended.", () =>
      chat.client.call("changePassword", {
        password: String(data.get("old")),
        newPassword: String(data.get("fresh")),
      }),
    );
    if (isDone) form.reset();
  };
  return (
    <form className="line" onSubmit={(event) => void submit(event)}>
      <label htmlFor={ids.old}>Password now</label>
      <input id={ids.old} name="old" type="password" required autoComplete="current-password" />
      <label htmlFor={ids.fresh}>New password</label>
      <input
        id={ids.fresh}
        name="fresh"
        type="password"
        required
        minLength={LIMITS.passwordBytesMin}
        maxLength={LIMITS.passwordBytesMax}
        autoComplete="new-password"
      />
      <button type="submit">Change</button>
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
    void act("It is ended.", async () => {
      await chat.client.call("revokeSession", { sessionId: session.id });
      await load();
    });
  return (
    <section>
      <h3>Where you are signed in</h3>
      <ul className="people">
        {sessions.map((session) => (
          <li key={session.id}>
            <bdi>{session.device === "" ? "unnamed device" : plainName(session.device)}</bdi>
            <small>since {fullTime(session.createdAtMs)}</small>
            <span className="spacer" />
            {session.current ? (
              <small>this one</small>
            ) : (
              <button type="button" className="quiet" onClick={() => end(session)}>
                End it
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

const MODE_NAMES = [
  [RegistrationMode.REGISTRATION_MODE_OPEN, "everybody"],
  [RegistrationMode.REGISTRATION_MODE_INVITE_ONLY, "whoever has an invite"],
  [RegistrationMode.REGISTRATION_MODE_CLOSED, "nobody"],
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
      <label htmlFor={id}>Accounts here can be made by</label>{" "}
      <select
        id={id}
        value={mode}
        onChange={(event) => {
          const [wanted] = MODE_NAMES.find(([one]) => one === Number(event.target.value)) ?? [mode];
          void act("Who can make an account is changed.", async () => {
            await chat.client.call("setRegistration", { mode: wanted });
            setMode(wanted);
          });
        }}
      >
        {MODE_NAMES.map(([one, name]) => (
          <option key={one} value={one}>
            {name}
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
    void act(`Whoever opens the link within a day sets ${username}'s password, once.`, async () => {
      const secret = newSecret();
      await chat.client.call("createPasswordLink", { username, secret });
      setLink(`${location.origin}${passwordPath(secret)}`);
    });
  };
  return (
    <form className="line" onSubmit={submit}>
      <label htmlFor={id}>Somebody forgot their password: username</label>
      <input id={id} name="username" required autoComplete="off" autoCapitalize="none" />
      <button type="submit">Make a link</button>
      {link !== "" && (
        <input
          readOnly
          value={link}
          aria-label="Password link"
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
    void act(`${username} is no longer blocked.`, async () => {
      await chat.client.call("block", { username, blocked: false });
      await load();
    });
  if (accounts.length === 0) return null;
  return (
    <section>
      <h3>Whom you have blocked</h3>
      <ul className="people">
        {accounts.map((account) => (
          <li key={account.id}>
            <bdi>{plainName(account.username)}</bdi>
            <span className="spacer" />
            {!account.deleted && (
              <button type="button" className="quiet" onClick={() => unblock(account)}>
                Unblock
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
    if (!confirm("Delete your account for good?")) return;
    const isDone = await act("", () => chat.client.call("deleteAccount", { password }));
    if (isDone) onDeleted();
  };
  return (
    <details>
      <summary>Delete the account</summary>
      <p>
        Your messages stay readable for others, under the name “deleted account”; you leave all
        rooms, all your sign-ins end, and the username becomes free. It can't be undone.
      </p>
      <form className="line" onSubmit={(event) => void submit(event)}>
        <label htmlFor={id}>Password</label>
        <input id={id} name="password" type="password" required autoComplete="current-password" />
        <button type="submit">Delete my account</button>
      </form>
    </details>
  );
}
