// Why a dial failed, asked of the kernel itself: the death notice must not rest on the wording of an
// error message (P7).
import { connect } from "node:net";
import type { LinkEnd } from "@parley/node";
import { parseAddress } from "../config/addresses.ts";

function codesOf(error: unknown): readonly string[] {
  if (error instanceof AggregateError) return error.errors.flatMap(codesOf);
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? [code] : [];
}

/**
 * `refused` only when every address of the host answers a connection attempt with a reset: nothing
 * listens there. `timeout` without an answer in time, `closed` for all else.
 */
export function probe(address: string, timeoutMs: number): Promise<LinkEnd> {
  const target = parseAddress(address);
  if (target === undefined) return Promise.resolve("closed");
  return new Promise((resolve) => {
    const socket = connect({ ...target, autoSelectFamily: true });
    const finish = (end: LinkEnd) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(end);
    };
    const timer = setTimeout(() => finish("timeout"), timeoutMs);
    socket.once("connect", () => finish("closed"));
    socket.on("error", (error) => {
      const codes = codesOf(error);
      const refused = codes.length > 0 && codes.every((code) => code === "ECONNREFUSED");
      const timedOut = codes.includes("ETIMEDOUT");
      finish(refused ? "refused" : timedOut ? "timeout" : "closed");
    });
  });
}
