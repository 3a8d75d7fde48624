// How a node without a cluster looks for one: it asks the addresses that it was given, and whoever calls it, and goes
// on asking until it is told that it is a member. It promises nothing meanwhile (P9).
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

interface EnquiryPorts {
  readonly transport: PeerTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** More than any cluster has members; who calls after that is not asked (P11). */
const INFORMANTS_MAX = 64;

export class Enquiry {
  readonly #informants: Informant[] = [];
  readonly #links: PeerLink[] = [];
  readonly #ports: EnquiryPorts;
  readonly #owner: EnquiryOwner;
  #isClosed = false;

  constructor(ports: EnquiryPorts, owner: EnquiryOwner) {
    this.#ports = ports;
    this.#owner = owner;
  }

  /** Asks there too, from now on. Nothing happens when it is asked already, or when that many are. */
  ask(informant: Informant): void {
    const { address } = informant;
    if (this.#isClosed || this.#informants.length >= INFORMANTS_MAX) return;
    if (this.#informants.some((one) => one.address === address)) return;
    const link = new PeerLink(this.#informants.length, address, this.#ports, this.#linkOwner);
    this.#informants.push(informant);
    this.#links.push(link);
    link.dial();
  }

  /** Introduces itself anew: there is more to say. */
  again(): void {
    for (const link of this.#links) link.again();
  }

  close(): void {
    this.#isClosed = true;
    for (const link of this.#links) link.close();
  }

  #of(at: number): Informant {
    return this.#informants[at] ?? { address: "", nodeId: 0 };
  }

  readonly #linkOwner = {
    hello: (at: number): PeerHello => ({
      ...this.#owner.hello(),
      toNodeId: this.#of(at).nodeId,
      toServerUuid: "",
    }),
    checkHello: (at: number, hello: PeerHello) => this.#owner.onHello(hello, this.#of(at))?.message,
    onUp: () => {},
    onDown: () => {},
    onRefused: () => {},
    onRejected: (at: number, error: ParleyError) => this.#owner.onRefused(error, this.#of(at)),
    onDrain: () => {},
    onAnswer: (at: number, frame: { readonly admission?: AdmissionAnswer | undefined }) => {
      if (frame.admission !== undefined) this.#owner.onAnswer(frame.admission, this.#of(at));
    },
  };
}
