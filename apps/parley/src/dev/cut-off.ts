// A node of a dev cluster as if its cables were pulled: nothing comes from its peers and nothing reaches them, and nobody is told. For the chaos
// panel. `parley server` has no such thing, only the process that `parley dev` starts (node-main.ts).
import type {
  IncomingLink,
  IncomingLinkEvents,
  OutgoingLink,
  OutgoingLinkEvents,
  PeerTransport,
} from "@parley/node";

/** From whom a node is cut off: from nobody, from its peers, or from clients as well. */
export const CUTS = ["none", "peers", "all"] as const;
export type Cut = (typeof CUTS)[number];

/** Silence, not an end: as with a network that drops packets, links stand and dials hang until their owner gives them up. */
export class CutOff implements PeerTransport {
  readonly #network: PeerTransport;
  readonly #lines = new Set<Line>();
  #isCut = false;

  constructor(network: PeerTransport) {
    this.#network = network;
  }

  cut(): void {
    this.#isCut = true;
    for (const line of this.#lines) line.isBroken = true;
  }

  /** What was lost meanwhile can't be made good, so the links of before end; the node and its peers dial again. */
  heal(): void {
    if (!this.#isCut) return;
    this.#isCut = false;
    for (const line of [...this.#lines]) {
      // One owner may have closed others' by now.
      if (!line.isBroken || !this.#lines.has(line)) continue;
      line.end();
      line.onGone();
    }
  }

  dial(address: string, events: OutgoingLinkEvents, nodeId: number): OutgoingLink {
    return this.#dial(events, (seen) => this.#network.dial(address, seen, nodeId));
  }

  dialCopy(address: string, events: OutgoingLinkEvents, nodeId: number): OutgoingLink {
    return this.#dial(events, (seen) => this.#network.dialCopy(address, seen, nodeId));
  }

  listen(accept: (link: IncomingLink) => IncomingLinkEvents): void {
    this.#network.listen((link) => this.#accept(link, accept));
  }

  listenForCopies(accept: (link: IncomingLink) => IncomingLinkEvents): void {
    this.#network.listenForCopies((link) => this.#accept(link, accept));
  }

  #dial(
    events: OutgoingLinkEvents,
    dial: (seen: OutgoingLinkEvents) => OutgoingLink,
  ): OutgoingLink {
    const onGone = () => events.onEnd("closed", "the network was gone");
    const line = new Line(this.#lines, this.#isCut, onGone);
    const link = line.isBroken
      ? undefined
      : dial({
          onOpen: () => line.pass(() => events.onOpen()),
          onFrame: (frame) => line.pass(() => events.onFrame(frame)),
          onDrain: () => line.pass(() => events.onDrain()),
          onEnd: (end, detail) =>
            // A broken one hears of its end as well when the network is back.
            line.pass(() => {
              line.end();
              events.onEnd(end, detail);
            }),
        });
    line.close = () => link?.close();
    return {
      send: (frame) => line.isBroken || link === undefined || link.send(frame),
      close: () => line.end(),
    };
  }

  #accept(
    link: IncomingLink,
    accept: (link: IncomingLink) => IncomingLinkEvents,
  ): IncomingLinkEvents {
    const line = new Line(this.#lines, this.#isCut, () => events?.onEnd());
    line.close = () => link.close();
    // Whoever dials meanwhile hears nothing, and the node does not hear of them.
    const events = line.isBroken
      ? undefined
      : accept({
          remote: link.remote,
          certifiedId: link.certifiedId,
          send: (frame) => line.isBroken || link.send(frame),
          close: () => line.end(),
        });
    return {
      onFrame: (frame) => line.pass(() => events?.onFrame(frame)),
      onEnd: () => {
        if (line.isBroken && events !== undefined) return;
        line.end();
        events?.onEnd();
      },
    };
  }
}

/** One link's share of the network. */
class Line {
  readonly #all: Set<Line>;
  /** Tells its owner, who had not closed it. */
  readonly onGone: () => void;
  /** Nothing passes any more, in either direction. */
  isBroken: boolean;
  close: () => void = () => {};

  constructor(all: Set<Line>, isBroken: boolean, onGone: () => void) {
    this.#all = all;
    this.isBroken = isBroken;
    this.onGone = onGone;
    all.add(this);
  }

  pass(action: () => void): void {
    if (!this.isBroken) action();
  }

  end(): void {
    this.#all.delete(this);
    this.close();
  }
}
