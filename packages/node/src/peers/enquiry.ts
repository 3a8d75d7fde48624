// How a node without a cluster looks for one: it asks the addresses that it was given, and goes on asking
// until it is told that it is a member. It promises nothing meanwhile (P9).
import type { AdmissionAnswer, ParleyError, PeerHello } from "@parley/protocol";
import type { Clock, Logger, PeerTransport, Random } from "../ports.ts";
import { PeerLink } from "./peer-link.ts";

/** Somebody to ask. */
export interface Informant {
  readonly address: string;
  /** 0 = whoever it is. */
  readonly nodeId: number;
}

export interface EnquiryOwner {
  hello(): Omit<PeerHello, "toNodeId" | "toServerUuid">;
  /** Somebody answered; an error = do not listen to them. */
  onHello(hello: PeerHello, from: Informant): ParleyError | undefined;
  onAnswer(answer: AdmissionAnswer, from: Informant): void;
  onRefused(error: ParleyError, from: Informant): void;
}

export class Enquiry {
  readonly #links: readonly PeerLink[];
  readonly #owner: EnquiryOwner;

  constructor(
    informants: readonly Informant[],
    ports: {
      readonly transport: PeerTransport;
      readonly clock: Clock;
      readonly random: Random;
      readonly logger: Logger;
    },
    owner: EnquiryOwner,
  ) {
    this.#owner = owner;
    const of = (at: number): Informant => informants[at] ?? { address: "", nodeId: 0 };
    const linkOwner = {
      hello: (at: number): PeerHello => ({
        ...this.#owner.hello(),
        toNodeId: of(at).nodeId,
        toServerUuid: "",
      }),
      checkHello: (at: number, hello: PeerHello) => this.#owner.onHello(hello, of(at))?.message,
      onUp: () => {},
      onDown: () => {},
      onRefused: () => {},
      onRejected: (at: number, error: ParleyError) => this.#owner.onRefused(error, of(at)),
      onDrain: () => {},
      onAnswer: (at: number, frame: { readonly admission?: AdmissionAnswer | undefined }) => {
        if (frame.admission !== undefined) this.#owner.onAnswer(frame.admission, of(at));
      },
    };
    this.#links = informants.map(({ address }, at) => new PeerLink(at, address, ports, linkOwner));
  }

  begin(): void {
    for (const link of this.#links) link.dial();
  }

  /** Introduces itself anew: there is more to say. */
  again(): void {
    for (const link of this.#links) link.again();
  }

  close(): void {
    for (const link of this.#links) link.close();
  }
}
