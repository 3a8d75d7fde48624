// Parsers of option values; what they refuse is told by commander with the option's name.
import { InvalidArgumentError } from "commander";
import { parseAddress } from "../config/addresses.ts";

export function wholeNumber(min: number, max: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`Give a whole number of ${min}–${max}.`);
    }
    return value;
  };
}

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** "90m", "2h", "7d" in milliseconds; undefined = it is none of these, or longer than `maxMs`. */
export function durationMs(text: string, maxMs: number): number | undefined {
  const [, digits = "", unit = ""] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const ms = Number(digits) * (UNIT_MS[unit as keyof typeof UNIT_MS] ?? 0);
  return ms > 0 && ms <= maxMs ? ms : undefined;
}

/** host:port,host:port… */
export function addressList(text: string): readonly string[] {
  const addresses = text
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");
  for (const address of addresses) {
    if (parseAddress(address) === undefined) {
      throw new InvalidArgumentError(`"${address}" is not host:port.`);
    }
  }
  if (addresses.length === 0) throw new InvalidArgumentError("Give host:port,host:port…");
  return addresses;
}
