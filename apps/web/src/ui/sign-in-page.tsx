// Two fields, and a third for the first account of an instance that other machines can reach.
import {
  type Account,
  type ClientState,
  type Invite,
  LIMITS,
  ParleyClient,
  ParleyError,
  RegistrationMode,
  webSocketCarrier,
} from "@parley/client/browser";
import { type FormEvent, useCallback, useEffect, useId, useRef, useState } from "react";
import { type SavedSignIn, savedServers } from "../chat/saved.ts";
import { sayProblem } from "../text/problem-text.ts";
import { t } from "../text/t.ts";
import { invitation } from "./format.ts";
import { useKeeping } from "./keeping-notice.tsx";

interface SignInPageProps {
  readonly notice: string;
  /** The secret of an invite. */
  readonly invite: string | undefined;
  /** `roomId`: where the invite has led; 0 = nowhere yet. */
  readonly onSignedIn: (signIn: SavedSignIn, roomId: number) => void;
}

/** Spoken by the page before anybody is signed in. */
export function useVisitor(): { client: ParleyClient | undefined; state: ClientState | undefined } {
  const [client, setClient] = useState<ParleyClient>();
  const [state, setState] = useState<ClientState>();
  useEffect(() => {
    const visitor = new ParleyClient({ servers: savedServers(), carrier: webSocketCarrier() });
    const stop = visitor.onState(setState);
    void visitor.start();
    setClient(visitor);
    return () => {
      stop();
      void visitor.close();
    };
  }, []);
  return { client, state };
}

/** What is kept of a sign-in. */
export function signInOf(
  client: ParleyClient,
  response: {
    readonly account?: Account | undefined;
    readonly token: string;
    readonly revision: number;
  },
  username: string,
): SavedSignIn {
  return {
    token: response.token,
    tokenRevision: response.revision,
    clusterId: client.state.clusterId,
    accountId: response.account?.id ?? 0,
    username: response.account?.username ?? username,
  };
}

interface Registration {
  readonly mode: RegistrationMode;
  readonly setupTokenNeeded: boolean;
  /** Undefined: there is none, or it does not count. */
  readonly invite?: Invite | undefined;
}
const { REGISTRATION_MODE_OPEN, REGISTRATION_MODE_INVITE_ONLY, REGISTRATION_MODE_CLOSED } =
  RegistrationMode;

/** Who may make an account, as far as a server has said so, and how to ask again. */
function useRegistration(
  client: ParleyClient | undefined,
  inviteSecret: string,
): [Registration | undefined, () => void] {
  const [registration, setRegistration] = useState<Registration>();
  const ask = useCallback(() => {
    client?.call("getRegistration", { inviteSecret }).then(setRegistration, () => {});
  }, [client, inviteSecret]);
  useEffect(ask, [ask]);
  return [registration, ask];
}

function mayRegister(registration: Registration | undefined): boolean {
  // Until a server has said something else, for it will say so then.
  if (registration === undefined) return true;
  const { mode, invite } = registration;
  if (mode === REGISTRATION_MODE_INVITE_ONLY) return invite !== undefined;
  return mode === REGISTRATION_MODE_OPEN;
}

export function SignInPage({ notice, invite, onSignedIn }: SignInPageProps) {
  const { client, state } = useVisitor();
  const [registration, askAgain] = useRegistration(client, invite ?? "");
  const [wantsNew, setWantsNew] = useState(invite !== undefined);
  const isNew = wantsNew && mayRegister(registration);
  const isBadInvite =
    invite !== undefined && registration !== undefined && registration.invite === undefined;
  const inviteSecret = isBadInvite ? "" : (invite ?? "");
  const [isBusy, setIsBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const ids = { name: useId(), password: useId(), setup: useId() };
  const nameField = useRef<HTMLInputElement>(null);
  useEffect(() => nameField.current?.focus(), []);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (client === undefined || isBusy) return;
    const form = new FormData(event.currentTarget);
    const field = (name: string) => String(form.get(name) ?? "");
    const username = field("username").trim();
    const password = field("password");
    setIsBusy(true);
    setProblem("");
    try {
      const device = t("signIn.device", { host: location.host });
      const response = isNew
        ? await client.register({
            username,
            password,
            setupToken: field("setup").trim(),
            inviteSecret,
          })
        : await client.login({ username, password, device });
      const roomId = "room" in response ? (response.room?.id ?? 0) : 0;
      onSignedIn(signInOf(client, response, username), roomId);
    } catch (cause) {
      // Whatever this page believed of who may register, something else holds by now.
      if (isNew && cause instanceof ParleyError) askAgain();
      sayProblem(cause, setProblem);
      setIsBusy(false);
    }
  }

  const keepsNothing = useKeeping() === "forbidden";
  const isOffline = state !== undefined && state.phase !== "online" && state.problem !== "";
  return (
    <main className="sign-in">
      <form onSubmit={(event) => void submit(event)}>
        <img src="/icon.svg" alt="" width="56" height="56" />
        <h1>{t("app.name")}</h1>
        <p className="lead">{t("signIn.lead")}</p>
        {notice !== "" && (
          <p className="notice" role="status">
            {notice}
          </p>
        )}
        {keepsNothing && (
          <p className="notice" role="status">
            {t("signIn.keepsNothing")}
          </p>
        )}
        {registration?.invite !== undefined && (
          <p className="notice" role="status">
            {invitation(registration.invite)}
          </p>
        )}
        {isBadInvite && (
          <p className="notice" role="status">
            {t("signIn.badInvite")}
          </p>
        )}
        <label htmlFor={ids.name}>{t("signIn.username")}</label>
        <input
          id={ids.name}
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          required
          maxLength={LIMITS.usernameBytesMax}
          ref={nameField}
        />
        <label htmlFor={ids.password}>{t("signIn.password")}</label>
        <input
          id={ids.password}
          name="password"
          type="password"
          required
          autoComplete={isNew ? "new-password" : "current-password"}
          minLength={isNew ? LIMITS.passwordBytesMin : undefined}
          maxLength={LIMITS.passwordBytesMax}
        />
        {isNew && registration?.setupTokenNeeded === true && (
          <>
            <label htmlFor={ids.setup}>{t("signIn.setupToken")}</label>
            <input id={ids.setup} name="setup" autoComplete="off" required />
          </>
        )}
        {problem !== "" && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        {isOffline && (
          <p className="notice" role="status">
            {t("signIn.offline")}
          </p>
        )}
        <button className="primary" type="submit" disabled={isBusy}>
          {t(isNew ? "signIn.create" : "signIn.enter")}
        </button>
        {mayRegister(registration) ? (
          <button
            className="quiet"
            type="button"
            onClick={() => {
              setWantsNew(!isNew);
              setProblem("");
            }}
          >
            {t(isNew ? "signIn.haveAccount" : "signIn.newHere")}
          </button>
        ) : (
          <p className="hint">
            {t(
              registration?.mode === REGISTRATION_MODE_CLOSED
                ? "signIn.closed"
                : "signIn.inviteOnly",
            )}
          </p>
        )}
      </form>
    </main>
  );
}
