// Opened by the link that the instance's owner made for somebody who forgot their password.
import { LIMITS } from "@parley/client/browser";
import { type FormEvent, useId, useState } from "react";
import type { SavedSignIn } from "../chat/saved.ts";
import { sayProblem } from "../text/problem-text.ts";
import { t } from "../text/t.ts";
import { signInOf, useVisitor } from "./sign-in-page.tsx";

interface PasswordPageProps {
  readonly secret: string;
  readonly onSignedIn: (signIn: SavedSignIn) => void;
  readonly onClose: () => void;
}

export function PasswordPage({ secret, onSignedIn, onClose }: PasswordPageProps) {
  const { client } = useVisitor();
  const [isBusy, setIsBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const id = useId();
  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (client === undefined || isBusy) return;
    const password = String(new FormData(event.currentTarget).get("password") ?? "");
    setIsBusy(true);
    setProblem("");
    try {
      const { username } = await client.call("usePasswordLink", { secret, newPassword: password });
      const device = t("signIn.device", { host: location.host });
      const response = await client.login({ username, password, device });
      onSignedIn(signInOf(client, response, username));
    } catch (cause) {
      sayProblem(cause, setProblem);
      setIsBusy(false);
    }
  }
  return (
    <main className="sign-in">
      <form onSubmit={(event) => void submit(event)}>
        <img src="/icon.svg" alt="" width="56" height="56" />
        <h1>{t("app.name")}</h1>
        <p className="lead">{t("passwordLink.lead")}</p>
        <label htmlFor={id}>{t("passwordLink.new")}</label>
        <input
          id={id}
          name="password"
          type="password"
          required
          autoComplete="new-password"
          minLength={LIMITS.passwordBytesMin}
          maxLength={LIMITS.passwordBytesMax}
        />
        {problem !== "" && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        <button className="primary" type="submit" disabled={isBusy}>
          {t("passwordLink.set")}
        </button>
        <button className="quiet" type="button" onClick={onClose}>
          {t("passwordLink.leave")}
        </button>
      </form>
    </main>
  );
}
