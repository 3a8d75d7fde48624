// The language of the page, chosen for this browser.
import { useId } from "react";
import { chooseLocale, LOCALES, type Locale, locale } from "../text/locale.ts";
import { type PlainKey, t } from "../text/t.ts";

const NAMES: Readonly<Record<Locale, PlainKey>> = {
  en: "settings.english",
  "en-XA": "settings.pseudo",
  "ar-XB": "settings.mirrored",
};

/** The page is loaded again in it; drafts and unsent messages are kept, as over any other reload. */
export function Language() {
  const id = useId();
  return (
    <div className="line">
      <label htmlFor={id}>{t("settings.language")}</label>{" "}
      <select
        id={id}
        value={locale}
        onChange={(event) => {
          const wanted = LOCALES.find((one) => one === event.target.value) ?? "en";
          chooseLocale(wanted);
        }}
      >
        {LOCALES.map((one) => (
          <option key={one} value={one}>
            {t(NAMES[one])}
          </option>
        ))}
      </select>
    </div>
  );
}
