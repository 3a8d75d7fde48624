// The one table of handlers: the unary RPCs, the session stream and the WebSocket all come here.
import {
  blockCommand,
  createInviteCommand,
  createPasswordLinkCommand,
  createRoomCommand,
  deleteCommand,
  deleteRoomCommand,
  editCommand,
  endSessionCommand,
  followThreadCommand,
  inviteMemberCommand,
  joinRoomCommand,
  leaveRoomCommand,
  markReadCommand,
  mentionsIn,
  muteMemberCommand,
  openDirectCommand,
  pinCommand,
  reactCommand,
  removeMemberCommand,
  revokeInviteCommand,
  sendCommand,
  setReadReceiptsCommand,
  setRegistrationCommand,
  setRoleCommand,
  setRoomPreferenceCommand,
  updateProfileCommand,
  updateRoomCommand,
  uploadCommand,
  validateSecret,
} from "@parley/chat";
import {
  type Command,
  joinBytes,
  OPERATIONS,
  type OperationName,
  ParleyError,
  type RequestOf,
  varintField,
} from "@parley/protocol";
import { Accounts } from "./accounts.ts";
import { Authentication, unauthenticated } from "./authentication.ts";
import type { Caller, Identity, ServiceParts } from "./context.ts";
import { type Freshness, type ReadName, Reads } from "./reads.ts";
import { Refusals } from "./refusals.ts";
import { requestIdOf } from "./request-id.ts";
import { SendRate } from "./send-rate.ts";
import { UsernameLookup } from "./username-lookup.ts";
import { Writes } from "./writes.ts";

const SEND_RESPONSE_REPLICAS = 2;
/** Of a whole node: 4 MiB. */
const UPLOADS_PENDING_MAX = 64;
const UPLOAD_RETRY_MS = 50;

/** A caller whose token has been checked. */
interface SignedIn extends Caller {
  readonly identity: Identity;
}

type Open<N extends OperationName> = (request: RequestOf<N>, caller: Caller) => Promise<Uint8Array>;
type Closed<N extends OperationName> = (
  request: RequestOf<N>,
  caller: SignedIn,
) => Promise<Uint8Array>;
type Handlers = {
  readonly [N in OperationName]: (typeof OPERATIONS)[N]["auth"] extends "none"
    ? Open<N>
    : Closed<N>;
};

export class Operations {
  readonly authentication: Authentication;
  readonly reads: Reads;
  /** Of all sessions and unary calls. */
  readonly refusals = new Refusals();
  readonly #parts: ServiceParts;
  readonly #writes: Writes;
  readonly #accounts: Accounts;
  readonly #usernames: UsernameLookup;
  readonly #rate: SendRate;
  readonly #handlers: Handlers;
  /** Pieces of files that are under way. */
  #uploads = 0;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
    this.authentication = new Authentication(parts.replica, parts.clock, parts.sha256);
    this.reads = new Reads(parts);
    this.#writes = new Writes(parts.replica, parts.tuning);
    this.#usernames = new UsernameLookup(parts.replica, parts.clock);
    this.#rate = new SendRate(parts.clock, parts.tuning);
    this.#accounts = new Accounts(
      parts,
      this.#writes,
      this.reads,
      this.authentication,
      this.#usernames,
    );
    this.#handlers = this.#table();
  }

  get pendingWrites(): number {
    return this.#writes.pending;
  }

  /**
   * Does one operation for `caller` and resolves with its encoded response; rejects with a
   * ParleyError, never throws. A write that needs nothing looked up is proposed before this returns.
   */
  execute<N extends OperationName>(
    name: N,
    request: RequestOf<N>,
    caller: Caller,
  ): Promise<Uint8Array> {
    try {
      const { identity } = caller;
      if (OPERATIONS[name].auth === "account") {
        if (identity === undefined || this.authentication.isExpired(identity)) {
          throw unauthenticated();
        }
      }
      // The table pairs names with requests; the compiler can't follow the pairing through N.
      const handler = this.#handlers[name] as (
        request: RequestOf<N>,
        caller: Caller,
      ) => Promise<Uint8Array>;
      return handler(request, caller);
    } catch (cause) {
      return Promise.reject(ParleyError.from(cause));
    }
  }

  #table(): Handlers {
    const accounts = this.#accounts;
    return {
      getRegistration: (request, caller) => accounts.registration(request, caller),
      setReadReceipts: (request, caller) => this.#write(request, caller, setReadReceiptsCommand),
      setRoomPreference: (request, caller) =>
        this.#write(request, caller, setRoomPreferenceCommand),
      setRegistration: (request, caller) => this.#write(request, caller, setRegistrationCommand),
      register: (request, caller) => accounts.register(request, caller),
      login: (request, caller) => accounts.login(request, caller),
      changePassword: (request, caller) => accounts.changePassword(request, caller),
      resetPassword: (request, caller) => accounts.resetPassword(request, caller),
      createPasswordLink: (request, caller) => {
        const hash = this.authentication.hashOfSecret(validateSecret(request.secret));
        return this.#writeAbout(request, caller, (req, actor, accountId) =>
          createPasswordLinkCommand(req, actor, accountId, hash),
        );
      },
      usePasswordLink: (request, caller) => accounts.usePasswordLink(request, caller),
      deleteAccount: (request, caller) => accounts.deleteAccount(request, caller),
      logout: (request, caller) =>
        this.#write(request, caller, (req, actor) =>
          endSessionCommand(req, actor, actor.sessionId),
        ),
      revokeSession: (request, caller) =>
        this.#write(request, caller, (req, actor) => endSessionCommand(req, actor, req.sessionId)),
      updateProfile: (request, caller) =>
        this.#write(request, caller, (req, actor) => {
          const account = this.#parts.replica.admission.account(actor.accountId);
          return updateProfileCommand(req, actor, account?.username ?? "");
        }),
      createRoom: (request, caller) => this.#write(request, caller, createRoomCommand),
      updateRoom: (request, caller) => this.#write(request, caller, updateRoomCommand),
      deleteRoom: (request, caller) => this.#write(request, caller, deleteRoomCommand),
      joinRoom: (request, caller) =>
        this.#write(request, caller, (req, actor) =>
          joinRoomCommand(req, actor, this.authentication.hashOfSecret(req.inviteSecret)),
        ),
      createInvite: (request, caller) =>
        this.#write(request, caller, (req, actor) => {
          const secret = validateSecret(req.secret);
          return createInviteCommand(req, actor, this.authentication.hashOfSecret(secret));
        }),
      revokeInvite: (request, caller) => this.#write(request, caller, revokeInviteCommand),
      leaveRoom: (request, caller) => this.#write(request, caller, leaveRoomCommand),
      inviteMember: (request, caller) => this.#writeAbout(request, caller, inviteMemberCommand),
      muteMember: (request, caller) => this.#writeAbout(request, caller, muteMemberCommand),
      removeMember: (request, caller) => this.#writeAbout(request, caller, removeMemberCommand),
      setRole: (request, caller) => this.#writeAbout(request, caller, setRoleCommand),
      block: (request, caller) => this.#writeAbout(request, caller, blockCommand),
      listBlocked: (request, caller) => this.#read("listBlocked", request, caller),
      openDirect: (request, caller) => this.#writeAbout(request, caller, openDirectCommand),
      delete: (request, caller) => this.#write(request, caller, deleteCommand),
      edit: (request, caller) => this.#write(request, caller, editCommand),
      react: (request, caller) => this.#react(request, caller),
      pin: (request, caller) => this.#write(request, caller, pinCommand),
      followThread: (request, caller) => this.#write(request, caller, followThreadCommand),
      markRead: (request, caller) => {
        const requestId = request.requestId === "" ? "" : this.#requestId(request.requestId);
        const command = markReadCommand({ ...request, requestId }, caller.identity);
        return this.#submit(command, caller);
      },
      send: (request, caller) => this.#send(request, caller),
      upload: (request, caller) => this.#upload(request, caller),
      download: (request, caller) => this.#read("download", request, caller),
      history: (request, caller) => this.#read("history", request, caller),
      thread: (request, caller) => this.#read("thread", request, caller),
      listSessions: (request, caller) => this.#read("listSessions", request, caller),
      listAccounts: (request, caller) => this.#read("listAccounts", request, caller),
      getAccount: (request, caller) => this.#read("getAccount", request, caller),
      listRooms: (request, caller) => this.#read("listRooms", request, caller),
      listInvites: (request, caller) => this.#read("listInvites", request, caller),
      listMembers: (request, caller) => this.#read("listMembers", request, caller),
      listPins: (request, caller) => this.#read("listPins", request, caller),
      unread: (request, caller) => this.#read("unread", request, caller),
      search: (request, caller) => this.#read("search", request, caller),
    };
  }

  #requestId(given: string): string {
    return requestIdOf(given, this.#parts.clock, this.#parts.random);
  }

  #write<R extends { readonly requestId: string }>(
    request: R,
    caller: SignedIn,
    build: (request: R, actor: Identity) => Command,
  ): Promise<Uint8Array> {
    const requestId = this.#requestId(request.requestId);
    return this.#submit(build({ ...request, requestId }, caller.identity), caller);
  }

  /** A write about another account, named by its username. */
  async #writeAbout<R extends { readonly requestId: string; readonly username: string }>(
    request: R,
    caller: SignedIn,
    build: (request: R, actor: Identity, accountId: number) => Command,
  ): Promise<Uint8Array> {
    const requestId = this.#requestId(request.requestId);
    const known = this.#usernames.known(request.username);
    const account = known ?? (await this.#usernames.current(request.username, caller));
    const command = build({ ...request, requestId }, caller.identity, account.accountId);
    return this.#submit(command, caller);
  }

  #send(request: RequestOf<"send">, caller: SignedIn): Promise<Uint8Array> {
    const mentions = mentionsIn(request.body, this.#parts.replica.admission);
    const command = sendCommand(request, caller.identity, mentions);
    this.#rate.take(caller.identity.accountId);
    return this.#writes.submit(command, caller).then(({ revision, response }) => {
      const replicas = this.#parts.replica.replicasAt(revision);
      return joinBytes([response, varintField(SEND_RESPONSE_REPLICAS, replicas)]);
    });
  }

  /** A piece is as large as many sends, so few are under way at once; whoever uploads sees no more than a slower upload (P11). */
  #upload(request: RequestOf<"upload">, caller: SignedIn): Promise<Uint8Array> {
    const { stateVersion } = this.#parts.replica.admission;
    const command = uploadCommand(request, caller.identity, stateVersion);
    if (this.#uploads >= UPLOADS_PENDING_MAX) {
      throw new ParleyError("RATE_LIMITED", "many files are on their way through this node", {
        retryAfterMs: UPLOAD_RETRY_MS,
      });
    }
    this.#rate.take(caller.identity.accountId);
    const submitted = this.#submit(command, caller);
    this.#uploads += 1;
    return submitted.finally(() => {
      this.#uploads -= 1;
    });
  }

  /** Each is told to the whole room, as a message is: they share the account's allowance. */
  #react(request: RequestOf<"react">, caller: SignedIn): Promise<Uint8Array> {
    const requestId = this.#requestId(request.requestId);
    const command = reactCommand({ ...request, requestId }, caller.identity);
    this.#rate.take(caller.identity.accountId);
    return this.#submit(command, caller);
  }

  #submit(command: Command, caller: Caller): Promise<Uint8Array> {
    return this.#writes.submit(command, caller).then((written) => written.response);
  }

  #read<N extends ReadName>(
    name: N,
    request: RequestOf<N> & Freshness,
    caller: SignedIn,
  ): Promise<Uint8Array> {
    const codec = OPERATIONS[name].request as {
      encode(message: RequestOf<N>): { finish(): Uint8Array };
    };
    return this.reads.operation(name, codec.encode(request).finish(), request, caller);
  }
}
