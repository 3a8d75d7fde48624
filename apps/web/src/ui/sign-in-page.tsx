// Two fields, and a third for the first account of an instance that other machines can reach.
import {
  type ClientState,
  LIMITS,
  ParleyClient,
  ParleyError,
  RegistrationMode,
  webSocketCarrier,
} from "@parley/client/browser";
import { type FormEvent, useCallback, useEffect, useId, useRef, useState } from "react";
import { type SavedSignIn, savedServers } from "../chat/saved.ts";
import { problemText } from "./format.ts";

interface SignInPageProps {
  readonly notice: string;
  readonly onSignedIn: (signIn: SavedSignIn) => void;
}

/** Spoken by the page before anybody is signed in. */
function useVisitor(): { client: ParleyClient | undefined; state: ClientState | undefined } {
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

interface Registration {
  readonly mode: RegistrationMode;
  readonly setupTokenNeeded: boolean;
}
const { REGISTRATION_MODE_OPEN, REGISTRATION_MODE_CLOSED } = RegistrationMode;

/**
 * Who may make an account. Until a server has said so: everybody, for it will say so then.
 * `again` asks once more.
 */
function useRegistration(client: ParleyClient | undefined): [Registration, () => void] {
  const [registration, setRegistration] = useState<Registration>({
    mode: REGISTRATION_MODE_OPEN,
    setupTokenNeeded: false,
  });
  const ask = useCallback(() => {
    client?.call("getRegistration").then(setRegistration, () => {});
  }, [client]);
  useEffect(ask, [ask]);
  return [registration, ask];
}

export function SignInPage({ notice, onSignedIn }: SignInPageProps) {
  const { client, state } = useVisitor();
  const [registration, askAgain] = useRegistration(client);
  const [wantsNew, setWantsNew] = useState(false);
  const mayRegister = registration.mode === REGISTRATION_MODE_OPEN;
  const isNew = wantsNew && mayRegister;
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
      const device = `browser (${location.host})`;
      const response = isNew
        ? await client.register({ username, password, setupToken: field("setup").trim() })
        : await client.login({ username, password, device });
      const accountId = response.account?.id ?? 0;
      const { clusterId } = client.state;
      const { token, revision: tokenRevision } = response;
      onSignedIn({
        token,
        tokenRevision,
        clusterId,
        accountId,
        username: response.account?.username ?? username,
      });
    } catch (cause) {
      // Whatever this page believed of who may register, something else holds by now.
      if (isNew && cause instanceof ParleyError) askAgain();
      setProblem(problemText(cause));
      setIsBusy(false);
    }
  }

  const isOffline = state !== undefined && state.phase !== "online" && state.problem !== "";
  return (
    <main className="sign-in">
      <form onSubmit={(event) => void submit(event)}>
        <img src="/icon.svg" alt="" width="56" height="56" />
        <h1>Parley</h1>
        <p className="lead">The chat that does not stop when servers do.</p>
        {notice !== "" && (
          <p className="notice" role="status">
            {notice}
          </p>
        )}
        <label htmlFor={ids.name}>Username</label>
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
        <label htmlFor={ids.password}>Password</label>
        <input
          id={ids.password}
          name="password"
          type="password"
          required
          autoComplete={isNew ? "new-password" : "current-password"}
          minLength={isNew ? LIMITS.passwordBytesMin : undefined}
          maxLength={LIMITS.passwordBytesMax}
        />
        {isNew && registration.setupTokenNeeded && (
          <>
            <label htmlFor={ids.setup}>
              Set-up token (the node printed it when it first started)
            </label>
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
            No server can be reached at the moment; trying again …
          </p>
        )}
        <button className="primary" type="submit" disabled={isBusy}>
          {isNew ? "Create account" : "Sign in"}
        </button>
        {mayRegister ? (
          <button
            className="quiet"
            type="button"
            onClick={() => {
              setWantsNew(!isNew);
              setProblem("");
            }}
          >
            {isNew ? "I have an account" : "I am new here"}
          </button>
        ) : (
          <p className="hint">
            {registration.mode === REGISTRATION_MODE_CLOSED
              ? "New accounts are closed here at present."
              : "New here? Ask somebody who is in for an invite."}
          </p>
        )}
      </form>
    </main>
  );
}
