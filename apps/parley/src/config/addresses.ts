// Hosts and ports as text: host:port, with an IPv6 host in brackets.
import { isIPv6 } from "node:net";

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export function formatAddress({ host, port }: HostPort): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `undefined` unless `text` is host:port with a port of 1–65535. */
export function parseAddress(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const host = match[1] ?? match[2];
  const port = Number(match[3]);
  if (host === undefined || port < 1 || port > 65_535) return undefined;
  return { host, port };
}

/** Whether only this machine can reach what listens there (P10). */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  if (name === "localhost" || name === "::1") return true;
  return /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}
