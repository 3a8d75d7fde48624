// The operations that deal in passwords and tokens. What is replicated is hashes only; the token in
// a reply exists nowhere else.
import {
  createSessionCommand,
  deleteAccountCommand,
  REGISTRATION_SINCE,
  registerCommand,
  setPasswordCommand,
  usePasswordLinkCommand,
  validateDevice,
  validatePassword,
  validateSecret,
  validateUsername,
} from "@parley/chat";
import {
  type Command,
  GetRegistrationResponse,
  LoginResponse,
  ParleyError,
  type Reason,
  RegisterResponse,
  RegistrationMode,
  type RequestOf,
  UnreadResponse,
} from "@parley/protocol";
import { ownAccount } from "./account-message.ts";
import { type Authentication, unauthenticated } from "./authentication.ts";
import type { Caller, Identity, ServiceParts } from "./context.ts";
import { Credentials, refuseOversizedPassword } from "./credentials.ts";
import { equalBytes, toBase64Url, toHex } from "./encoding.ts";
import { becomeCurrent } from "./freshness.ts";
import type { Reads } from "./reads.ts";
import { requestIdOf } from "./request-id.ts";
import type { UsernameLookup } from "./username-lookup.ts";
import type { Writes, Written } from "./writes.ts";

const TOKEN_BYTES = 32;
/** A login is tried again when the password changes under it, or its id turns out to be used. */
const SIGN_IN_ATTEMPTS_MAX = 3;
const MODES = {
  OPEN: RegistrationMode.REGISTRATION_MODE_OPEN,
  INVITE_ONLY: RegistrationMode.REGISTRATION_MODE_INVITE_ONLY,
} as const;
/** Refusals of who may not come in. Each has cost a hash and an entry of the log, so an address that goes on must pause. */
const UNWELCOME: ReadonlySet<Reason> = new Set([
  "REGISTRATION_CLOSED",
  "INVITE_REQUIRED",
  "INVITE_NOT_FOUND",
  "PASSWORD_LINK_NOT_FOUND",
  "SETUP_TOKEN_REQUIRED",
]);

interface Token {
  readonly token: string;
  readonly tokenHash: Uint8Array;
  readonly tokenTtlMs: number;
}

interface SignIn {
  readonly usernameKey: string;
  readonly password: string;
  readonly device: string;
  readonly requestId: string;
}

interface SignedIn {
  readonly identity: Identity;
  readonly token: string;
  readonly revision: number;
}

type OwnCaller = Caller & { readonly identity: Identity };

export class Accounts {
  readonly #parts: ServiceParts;
  readonly #writes: Writes;
  readonly #reads: Reads;
  readonly #authentication: Authentication;
  readonly #usernames: UsernameLookup;
  readonly #credentials: Credentials;

  constructor(
    parts: ServiceParts,
    writes: Writes,
    reads: Reads,
    authentication: Authentication,
    usernames: UsernameLookup,
  ) {
    this.#parts = parts;
    this.#writes = writes;
    this.#reads = reads;
    this.#authentication = authentication;
    this.#usernames = usernames;
    this.#credentials = new Credentials(parts, reads);
  }

  /** Who may register, as applying it would find now. */
  async registration(request: RequestOf<"getRegistration">, caller: Caller): Promise<Uint8Array> {
    const hash = this.#authentication.hashOfSecret(request.inviteSecret);
    const chosen = await this.#reads.registration(toHex(hash), request, caller);
    const { OPEN, INVITE_ONLY } = MODES;
    const preset = this.#isInviteOnlyByDefault() ? INVITE_ONLY : OPEN;
    const isOwned = this.#parts.replica.admission.hasOwner;
    return GetRegistrationResponse.encode({
      ...chosen,
      // Whoever comes first owns the instance, and nobody but the set-up token can keep them out.
      mode: isOwned ? chosen.mode || preset : OPEN,
      setupTokenNeeded: !isOwned && this.#hasSetupToken,
    }).finish();
  }

  async register(request: RequestOf<"register">, caller: Caller): Promise<Uint8Array> {
    const requestId = this.#requestId(request.requestId);
    const username = validateUsername(request.username);
    validatePassword(request.password);
    this.#credentials.checkRemote(caller.remote);
    const token = this.#newToken();
    const command = registerCommand(
      { username, displayName: request.displayName, requestId },
      {
        ...token,
        passwordHash: await this.#credentials.hash(request.password),
        device: "",
        notOwner: !this.#mayOwn(request.setupToken),
        inviteOnlyByDefault: this.#isInviteOnlyByDefault(),
        inviteHash: this.#authentication.hashOfSecret(request.inviteSecret),
      },
    );
    const { response } = await this.#comeIn(command, caller);
    const reply = RegisterResponse.decode(response);
    const made = this.#authentication.byHash(token.tokenHash);
    if (made !== undefined) return this.#registered(reply, made, token.token, caller);
    // The account was made by an earlier try whose token is lost: whoever knows the password gets
    // another one.
    const signedIn = await this.#signIn(
      {
        usernameKey: this.#usernames.keyOf(username),
        password: request.password,
        device: "",
        requestId: this.#requestId(""),
      },
      caller,
    );
    if (signedIn.identity.accountId !== reply.account?.id) {
      throw new ParleyError("ID_REUSED", "this request_id registered another account");
    }
    return this.#registered(reply, signedIn.identity, signedIn.token, caller);
  }

  async login(request: RequestOf<"login">, caller: Caller): Promise<Uint8Array> {
    const requestId = this.#requestId(request.requestId);
    refuseOversizedPassword(request.password);
    validateDevice(request.device);
    const usernameKey = this.#usernames.keyOf(request.username);
    const { identity, token, revision } = await this.#signIn(
      { ...request, usernameKey, requestId },
      caller,
    );
    const { accountId } = identity;
    const answer = await this.#reads.query({ kind: "unread", accountId }, caller);
    if (answer.kind !== "response") {
      throw new ParleyError("INTERNAL", `the chat store answered unread with ${answer.kind}`);
    }
    const unread = UnreadResponse.decode(answer.response);
    caller.onSignIn?.(identity);
    return LoginResponse.encode({
      account: ownAccount(this.#parts.replica, accountId),
      token,
      unreadCount: unread.unreadCount,
      tokenExpiresAtMs: identity.expiresAtMs,
      unread: unread.rooms,
      revision,
      mentionCount: unread.mentionCount,
    }).finish();
  }

  async changePassword(
    request: RequestOf<"changePassword">,
    caller: OwnCaller,
  ): Promise<Uint8Array> {
    const requestId = this.#requestId(request.requestId);
    refuseOversizedPassword(request.password);
    validatePassword(request.newPassword);
    // The new password is as good as the old one: then this is the retry of a change that was made.
    const passwords = [request.password, request.newPassword];
    const { credentialsRevision } = await this.#verifyOwn(passwords, caller);
    const command = setPasswordCommand({ requestId }, caller.identity, {
      passwordHash: await this.#credentials.hash(request.newPassword),
      credentialsRevision,
      targetAccountId: 0,
      keepSessionId: caller.identity.sessionId,
    });
    return (await this.#writes.submit(command, caller)).response;
  }

  async resetPassword(request: RequestOf<"resetPassword">, caller: OwnCaller): Promise<Uint8Array> {
    const requestId = this.#requestId(request.requestId);
    validatePassword(request.newPassword);
    // Refused before the costly hash; apply checks it again.
    if (this.#parts.replica.admission.account(caller.identity.accountId)?.owner !== true) {
      throw new ParleyError("PERMISSION_DENIED", "only the instance's owner resets passwords");
    }
    const known = this.#usernames.known(request.username);
    const target = known ?? (await this.#usernames.current(request.username, caller));
    const command = setPasswordCommand({ requestId }, caller.identity, {
      passwordHash: await this.#credentials.hash(request.newPassword),
      credentialsRevision: 0,
      targetAccountId: target.accountId,
      keepSessionId: 0,
    });
    return (await this.#writes.submit(command, caller)).response;
  }

  /** For nobody in particular: the link says whose password it is. */
  async usePasswordLink(
    request: RequestOf<"usePasswordLink">,
    caller: Caller,
  ): Promise<Uint8Array> {
    const requestId = this.#requestId(request.requestId);
    validatePassword(request.newPassword);
    const secretHash = this.#authentication.hashOfSecret(validateSecret(request.secret));
    this.#credentials.checkRemote(caller.remote);
    const passwordHash = await this.#credentials.hash(request.newPassword);
    const command = usePasswordLinkCommand({ requestId }, secretHash, passwordHash);
    return (await this.#comeIn(command, caller)).response;
  }

  async deleteAccount(request: RequestOf<"deleteAccount">, caller: OwnCaller): Promise<Uint8Array> {
    const requestId = this.#requestId(request.requestId);
    refuseOversizedPassword(request.password);
    const { credentialsRevision } = await this.#verifyOwn([request.password], caller);
    const command = deleteAccountCommand({ requestId }, caller.identity, credentialsRevision);
    return (await this.#writes.submit(command, caller)).response;
  }

  async #comeIn(command: Command, caller: Caller): Promise<Written> {
    try {
      return await this.#writes.submit(command, caller);
    } catch (cause) {
      const error = ParleyError.from(cause);
      if (UNWELCOME.has(error.reason)) this.#credentials.unwelcome(caller.remote);
      throw error;
    }
  }

  #registered(
    reply: RegisterResponse,
    identity: Identity,
    token: string,
    caller: Caller,
  ): Uint8Array {
    caller.onSignIn?.(identity);
    const account = ownAccount(this.#parts.replica, identity.accountId) ?? reply.account;
    return RegisterResponse.encode({
      ...reply,
      account,
      token,
      tokenExpiresAtMs: identity.expiresAtMs,
    }).finish();
  }

  /** Verifies and makes a login session; each try starts over from the stored password. */
  async #signIn(signIn: SignIn, caller: Caller): Promise<SignedIn> {
    const token = this.#newToken();
    let requestId = signIn.requestId;
    for (let attempt = 1; ; attempt += 1) {
      const verified = await this.#credentials.verify(
        signIn.usernameKey,
        [signIn.password],
        caller,
      );
      const command = createSessionCommand(
        { device: signIn.device, requestId },
        verified.accountId,
        verified.credentialsRevision,
        token,
      );
      try {
        const { revision } = await this.#writes.submit(command, caller);
        const identity = this.#authentication.byHash(token.tokenHash);
        if (identity !== undefined) return { identity, token: token.token, revision };
        // The result of an earlier try, whose token is lost.
        if (attempt >= SIGN_IN_ATTEMPTS_MAX) throw unauthenticated();
        requestId = this.#requestId("");
      } catch (cause) {
        const error = ParleyError.from(cause);
        if (error.reason !== "CREDENTIALS_CHANGED" || attempt >= SIGN_IN_ATTEMPTS_MAX) throw error;
        await becomeCurrent(this.#parts.replica, this.#parts.clock, caller);
      }
    }
  }

  async #verifyOwn(passwords: readonly string[], caller: OwnCaller) {
    const account = this.#parts.replica.admission.account(caller.identity.accountId);
    if (account === undefined || account.deleted) throw unauthenticated();
    return this.#credentials.verify(account.usernameKey, passwords, caller);
  }

  #newToken(): Token {
    const token = toBase64Url(this.#parts.random.bytes(TOKEN_BYTES));
    return {
      token,
      tokenHash: this.#authentication.hashOf(token),
      tokenTtlMs: this.#parts.tuning.tokenTtlMs,
    };
  }

  /** Until every server knows it, the chat is as open as it was. */
  #isInviteOnlyByDefault(): boolean {
    const { inviteOnlyByDefault, replica } = this.#parts;
    return inviteOnlyByDefault === true && replica.admission.stateVersion >= REGISTRATION_SINCE;
  }

  get #hasSetupToken(): boolean {
    const { setupTokenHash } = this.#parts;
    return setupTokenHash !== undefined && setupTokenHash.length > 0;
  }

  /** Whether this caller may own an instance that has no owner: it shows the set-up token, or none is needed. */
  #mayOwn(setupToken: string): boolean {
    const { setupTokenHash } = this.#parts;
    if (setupTokenHash === undefined || setupTokenHash.length === 0) return true;
    return setupToken !== "" && equalBytes(this.#authentication.hashOf(setupToken), setupTokenHash);
  }

  #requestId(given: string): string {
    return requestIdOf(given, this.#parts.clock, this.#parts.random);
  }
}
