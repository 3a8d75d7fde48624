// An event on its way to many subscribers: encoded once, wrapped for session frames once.
import { lengthDelimitedField } from "@parley/protocol";

const EVENTS_FIELD = 4;

export class SharedEvent {
  /** An encoded `parley.v1.Event`. */
  readonly event: Uint8Array;
  #frameField: Uint8Array | undefined;

  constructor(event: Uint8Array) {
    this.event = event;
  }

  /** The event as a field of a ServerFrame; made when first asked for, then shared. */
  get frameField(): Uint8Array {
    this.#frameField ??= lengthDelimitedField(EVENTS_FIELD, this.event);
    return this.#frameField;
  }
}
