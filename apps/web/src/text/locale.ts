// Which language the page speaks: English, or one of two made from it by code, which show what is not ready to be translated.
import { pseudo } from "./pseudo.ts";

/**
 * `en-XA` is English with accents, longer, and in brackets; `ar-XB` is the same from right to left. The tags are those that Android and
 * Chromium give to their pseudo-locales; no language has the regions XA and XB.
 */
export const LOCALES = ["en", "en-XA", "ar-XB"] as const;
export type Locale = (typeof LOCALES)[number];

const KEY = "parley:locale";

function known(tag: string | null): Locale | undefined {
  return LOCALES.find((one) => one === tag);
}

/** As the address asks (`?locale=en-XA`, which then holds for this tab), or as was chosen in this browser. */
function localeOfPage(): Locale {
  if (globalThis.document === undefined) return "en";
  const asked = known(new URLSearchParams(location.search).get("locale"));
  try {
    if (asked !== undefined) sessionStorage.setItem(KEY, asked);
    return asked ?? known(sessionStorage.getItem(KEY)) ?? known(localStorage.getItem(KEY)) ?? "en";
  } catch {
    // Forbidden storage: as the address asks.
    return asked ?? "en";
  }
}

/** It does not change while the page is there: see `chooseLocale`. */
export const locale = localeOfPage();
export const isPseudo = locale !== "en";
export const direction = locale === "ar-XB" ? "rtl" : "ltr";

/** Keeps it for this browser and loads the page again in it; where storage is forbidden, the address says it. */
export function chooseLocale(chosen: Locale): void {
  const address = new URL(location.href);
  address.searchParams.delete("locale");
  try {
    sessionStorage.removeItem(KEY);
    localStorage.setItem(KEY, chosen);
  } catch {
    address.searchParams.set("locale", chosen);
  }
  history.replaceState(null, "", address);
  location.reload();
}

/** English as in the region of this device: a German one counts 24 hours and begins with the day. */
function tagOfFormats(): string {
  const own = globalThis.navigator?.language;
  if (own === undefined || own.startsWith("en")) return own ?? "en";
  try {
    const { region } = new Intl.Locale(own).maximize();
    return region === undefined ? "en" : `en-${region}`;
  } catch {
    return "en";
  }
}

const tag = tagOfFormats();
const numbers = new Intl.NumberFormat(tag);
const plurals = new Intl.PluralRules("en");

export function formatNumber(value: number): string {
  return numbers.format(value);
}

export function pluralOf(count: number): Intl.LDMLPluralRule {
  return plurals.select(count);
}

/** Writes moments, milliseconds since 1970, in the zone of this device. */
export function dateFormat(options: Intl.DateTimeFormatOptions): (ms: number) => string {
  const format = new Intl.DateTimeFormat(tag, options);
  return (ms) => (isPseudo ? pseudo([format.format(ms)]) : format.format(ms));
}
