// P11 bounded: what waits for a slow client never grows past its bound. Looked at as bytes on the
// virtual wires, where nothing but the node's own restraint limits them.
import { LIMITS } from "@parley/protocol";
import type { Checker, Report } from "../observer.ts";

const PROPERTY = "P11 bounded";
/** The node looks at the backlog between frames, so one frame may still be added to a full one. */
const BOUND_BYTES = LIMITS.sessionBacklogBytesMax + LIMITS.serverFrameBytesMax;

export class P11Bounded implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  longestBytes = 0;

  constructor(report: Report) {
    this.#report = report;
  }

  /** To be called now and then with the longest backlog towards a client. */
  sample(backlogBytes: number): void {
    this.longestBytes = Math.max(this.longestBytes, backlogBytes);
    if (backlogBytes > BOUND_BYTES) {
      this.#report({
        property: PROPERTY,
        detail: `${backlogBytes} bytes wait for a client; the bound is ${BOUND_BYTES}`,
      });
    }
  }
}
