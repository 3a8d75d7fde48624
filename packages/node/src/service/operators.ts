// Who may change the cluster (P10): an operator's certificate, the login of the instance's owner, or,
// from this machine alone, the token in the node's data directory. The decision needs no I/O and
// stands in one function; what is done is logged with who did it.
import type { Admission } from "@parley/chat";
import { ParleyError } from "@parley/protocol";
import type { CallerCertificate, Logger } from "../ports.ts";
import type { Replica } from "../replica.ts";
import { type Authentication, unauthenticated } from "./authentication.ts";
import type { CallContext } from "./context.ts";
import { equalBytes } from "./encoding.ts";

/** Somebody who may change the cluster, and by what right. */
export type Operator =
  | { readonly kind: "certificate"; readonly name: string }
  | { readonly kind: "owner"; readonly accountId: number; readonly username: string }
  | { readonly kind: "local-token" };

/** What a call shows of its caller. */
export interface Evidence {
  readonly certificate: CallerCertificate;
  /** The bearer token is this node's operator token. */
  readonly hasOperatorToken: boolean;
  /** The connection comes from this machine, over loopback. */
  readonly isLocal: boolean;
  /** Whose login token the bearer token is. */
  readonly account: ReturnType<Admission["account"]>;
}

const HOW =
  "Changing the cluster takes an operator's certificate (parley certs client --operator), the login of the instance's owner, " +
  "or, on the node's own machine, the operator token in its data directory.";

/** The one rule. A refusal says what was shown and why it is not enough. */
export function decideOperator(evidence: Evidence): Operator | ParleyError {
  const { certificate, hasOperatorToken, isLocal, account } = evidence;
  if (certificate.kind === "trusted" && certificate.role === "operator") {
    return { kind: "certificate", name: certificate.name };
  }
  if (hasOperatorToken) {
    if (isLocal) return { kind: "local-token" };
    return new ParleyError(
      "PERMISSION_DENIED",
      "The operator token counts on the node's own machine, over loopback, only.",
    );
  }
  if (account !== undefined && !account.deleted) {
    const { accountId, username } = account;
    if (account.owner) return { kind: "owner", accountId, username };
    return new ParleyError("PERMISSION_DENIED", `${username} does not own this instance. ${HOW}`);
  }
  switch (certificate.kind) {
    case "refused":
      return new ParleyError("CERTIFICATE_REFUSED", `Not an operator: ${certificate.why}.`);
    case "trusted":
      return new ParleyError(
        "PERMISSION_DENIED",
        `The certificate names ${certificate.role} ${certificate.name}, who is no operator. ${HOW}`,
      );
    case "none":
      return new ParleyError("UNAUTHENTICATED", HOW);
  }
}

export function describeOperator(operator: Operator): string {
  switch (operator.kind) {
    case "certificate":
      return `operator ${operator.name}`;
    case "owner":
      return `owner ${operator.username}`;
    case "local-token":
      return "the operator token";
  }
}

export interface OperatorsParts {
  readonly replica: Replica;
  readonly authentication: Authentication;
  readonly logger: Logger;
  /** SHA-256 of the operator token; left out = there is none. */
  readonly tokenHash?: Uint8Array | undefined;
}

export class Operators {
  readonly #parts: OperatorsParts;

  constructor(parts: OperatorsParts) {
    this.#parts = parts;
  }

  /** Who calls. Rejects with a ParleyError for anybody who is not an operator. */
  async identify(context: CallContext): Promise<Operator> {
    const evidence = await this.#evidence(context);
    const decided = decideOperator(evidence);
    if (decided instanceof ParleyError) throw decided;
    return decided;
  }

  /** Does `work` for an operator, and logs what was done by whom, and what was refused to whom. */
  async perform<T>(
    action: string,
    context: CallContext,
    work: (operator: Operator) => Promise<T>,
  ): Promise<T> {
    const { logger } = this.#parts;
    const fields = { event: "operator", action, remote: context.remote };
    let operator: Operator;
    try {
      operator = await this.identify(context);
    } catch (cause) {
      const { reason, message } = ParleyError.from(cause);
      logger.warn({ ...fields, reason }, `refused ${action}: ${message}`);
      throw cause;
    }
    const who = describeOperator(operator);
    logger.info({ ...fields, who }, `${who} asks for ${action}`);
    try {
      const result = await work(operator);
      logger.info({ ...fields, who }, `${action} by ${who} is done`);
      return result;
    } catch (cause) {
      const { reason, message } = ParleyError.from(cause);
      logger.warn({ ...fields, who, reason }, `${action} by ${who} failed: ${message}`);
      throw cause;
    }
  }

  async #evidence(context: CallContext): Promise<Evidence> {
    const { certificate = { kind: "none" }, isLocal = false, token } = context;
    const shown = { certificate, isLocal, hasOperatorToken: this.#isOperatorToken(token) };
    const isCertified = certificate.kind === "trusted" && certificate.role === "operator";
    // A login is looked up in the replicated state, which may have to be waited for: an operator must get
    // through without it, because a cluster that has lost its majority is what operators are for.
    if (token === "" || shown.hasOperatorToken || isCertified) {
      return { ...shown, account: undefined };
    }
    const { authentication, replica } = this.#parts;
    const identity =
      authentication.lookUp(token) ?? (await authentication.lookUpCurrent(token, context));
    const account = replica.admission.account(identity.accountId);
    if (account === undefined) throw unauthenticated();
    return { ...shown, account };
  }

  #isOperatorToken(token: string): boolean {
    const { tokenHash, authentication } = this.#parts;
    if (tokenHash === undefined || token === "") return false;
    return equalBytes(authentication.hashOf(token), tokenHash);
  }
}
