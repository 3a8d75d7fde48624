// The one table of operations: it drives the unary RPCs, the session stream and the client, so that
// an operation is added in one place.
import type { BinaryReader } from "@bufbuild/protobuf/wire";
import {
  ChangePasswordRequest,
  ChangePasswordResponse,
  CreateInviteRequest,
  CreateInviteResponse,
  CreatePasswordLinkRequest,
  CreatePasswordLinkResponse,
  CreateRoomRequest,
  CreateRoomResponse,
  DeleteAccountRequest,
  DeleteAccountResponse,
  DeleteRequest,
  DeleteResponse,
  DeleteRoomRequest,
  DeleteRoomResponse,
  EditRequest,
  EditResponse,
  FollowThreadRequest,
  FollowThreadResponse,
  GetAccountRequest,
  GetAccountResponse,
  GetRegistrationRequest,
  GetRegistrationResponse,
  HistoryRequest,
  HistoryResponse,
  InviteMemberRequest,
  InviteMemberResponse,
  JoinRoomRequest,
  JoinRoomResponse,
  LeaveRoomRequest,
  LeaveRoomResponse,
  ListAccountsRequest,
  ListAccountsResponse,
  ListInvitesRequest,
  ListInvitesResponse,
  ListMembersRequest,
  ListMembersResponse,
  ListPinsRequest,
  ListPinsResponse,
  ListRoomsRequest,
  ListRoomsResponse,
  ListSessionsRequest,
  ListSessionsResponse,
  LoginRequest,
  LoginResponse,
  LogoutRequest,
  LogoutResponse,
  MarkReadRequest,
  MarkReadResponse,
  OpenDirectRequest,
  OpenDirectResponse,
  PinRequest,
  PinResponse,
  ReactRequest,
  ReactResponse,
  RegisterRequest,
  RegisterResponse,
  RemoveMemberRequest,
  RemoveMemberResponse,
  ResetPasswordRequest,
  ResetPasswordResponse,
  RevokeInviteRequest,
  RevokeInviteResponse,
  RevokeSessionRequest,
  RevokeSessionResponse,
  SearchRequest,
  SearchResponse,
  SendRequest,
  SendResponse,
  SetRegistrationRequest,
  SetRegistrationResponse,
  SetRoleRequest,
  SetRoleResponse,
  ThreadRequest,
  ThreadResponse,
  UnreadRequest,
  UnreadResponse,
  UpdateProfileRequest,
  UpdateProfileResponse,
  UpdateRoomRequest,
  UpdateRoomResponse,
  UsePasswordLinkRequest,
  UsePasswordLinkResponse,
} from "./generated/parley/v1/chat_messages.ts";

/** Encoder and decoder of one message type, as ts-proto generates them. */
export interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(input: BinaryReader | Uint8Array): T;
}

export interface Operation<Request, Response> {
  /** Number of its field in Request.op and Reply.result of session.proto. */
  readonly fieldNumber: number;
  /** Name of the unary RPC of parley.v1.Chat. */
  readonly rpc: string;
  /** Writes go through the log; reads are answered by the asked node. */
  readonly kind: "read" | "write";
  /** Whether a bearer token is needed. */
  readonly auth: "none" | "account";
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
}

function operation<Request, Response>(
  fieldNumber: number,
  rpc: string,
  kind: "read" | "write",
  auth: "none" | "account",
  request: Codec<Request>,
  response: Codec<Response>,
): Operation<Request, Response> {
  return { fieldNumber, rpc, kind, auth, request, response };
}

/** Keyed by the `$case` of Request.op and Reply.result. */
export const OPERATIONS = {
  register: operation(10, "Register", "write", "none", RegisterRequest, RegisterResponse),
  login: operation(11, "Login", "write", "none", LoginRequest, LoginResponse),
  logout: operation(12, "Logout", "write", "account", LogoutRequest, LogoutResponse),
  listSessions: operation(
    13,
    "ListSessions",
    "read",
    "account",
    ListSessionsRequest,
    ListSessionsResponse,
  ),
  revokeSession: operation(
    14,
    "RevokeSession",
    "write",
    "account",
    RevokeSessionRequest,
    RevokeSessionResponse,
  ),
  changePassword: operation(
    15,
    "ChangePassword",
    "write",
    "account",
    ChangePasswordRequest,
    ChangePasswordResponse,
  ),
  resetPassword: operation(
    16,
    "ResetPassword",
    "write",
    "account",
    ResetPasswordRequest,
    ResetPasswordResponse,
  ),
  deleteAccount: operation(
    17,
    "DeleteAccount",
    "write",
    "account",
    DeleteAccountRequest,
    DeleteAccountResponse,
  ),
  listAccounts: operation(
    18,
    "ListAccounts",
    "read",
    "account",
    ListAccountsRequest,
    ListAccountsResponse,
  ),
  getAccount: operation(19, "GetAccount", "read", "account", GetAccountRequest, GetAccountResponse),
  updateProfile: operation(
    20,
    "UpdateProfile",
    "write",
    "account",
    UpdateProfileRequest,
    UpdateProfileResponse,
  ),
  createRoom: operation(
    21,
    "CreateRoom",
    "write",
    "account",
    CreateRoomRequest,
    CreateRoomResponse,
  ),
  updateRoom: operation(
    22,
    "UpdateRoom",
    "write",
    "account",
    UpdateRoomRequest,
    UpdateRoomResponse,
  ),
  deleteRoom: operation(
    23,
    "DeleteRoom",
    "write",
    "account",
    DeleteRoomRequest,
    DeleteRoomResponse,
  ),
  listRooms: operation(24, "ListRooms", "read", "account", ListRoomsRequest, ListRoomsResponse),
  joinRoom: operation(25, "JoinRoom", "write", "account", JoinRoomRequest, JoinRoomResponse),
  leaveRoom: operation(26, "LeaveRoom", "write", "account", LeaveRoomRequest, LeaveRoomResponse),
  inviteMember: operation(
    27,
    "InviteMember",
    "write",
    "account",
    InviteMemberRequest,
    InviteMemberResponse,
  ),
  removeMember: operation(
    28,
    "RemoveMember",
    "write",
    "account",
    RemoveMemberRequest,
    RemoveMemberResponse,
  ),
  setRole: operation(29, "SetRole", "write", "account", SetRoleRequest, SetRoleResponse),
  listMembers: operation(
    30,
    "ListMembers",
    "read",
    "account",
    ListMembersRequest,
    ListMembersResponse,
  ),
  openDirect: operation(
    31,
    "OpenDirect",
    "write",
    "account",
    OpenDirectRequest,
    OpenDirectResponse,
  ),
  send: operation(32, "Send", "write", "account", SendRequest, SendResponse),
  delete: operation(33, "Delete", "write", "account", DeleteRequest, DeleteResponse),
  history: operation(34, "History", "read", "account", HistoryRequest, HistoryResponse),
  markRead: operation(35, "MarkRead", "write", "account", MarkReadRequest, MarkReadResponse),
  unread: operation(36, "Unread", "read", "account", UnreadRequest, UnreadResponse),
  edit: operation(37, "Edit", "write", "account", EditRequest, EditResponse),
  react: operation(38, "React", "write", "account", ReactRequest, ReactResponse),
  pin: operation(39, "Pin", "write", "account", PinRequest, PinResponse),
  listPins: operation(40, "ListPins", "read", "account", ListPinsRequest, ListPinsResponse),
  search: operation(44, "Search", "read", "account", SearchRequest, SearchResponse),
  setRegistration: operation(
    50,
    "SetRegistration",
    "write",
    "account",
    SetRegistrationRequest,
    SetRegistrationResponse,
  ),
  getRegistration: operation(
    51,
    "GetRegistration",
    "read",
    "none",
    GetRegistrationRequest,
    GetRegistrationResponse,
  ),
  followThread: operation(
    42,
    "FollowThread",
    "write",
    "account",
    FollowThreadRequest,
    FollowThreadResponse,
  ),
  thread: operation(43, "Thread", "read", "account", ThreadRequest, ThreadResponse),
  createInvite: operation(
    52,
    "CreateInvite",
    "write",
    "account",
    CreateInviteRequest,
    CreateInviteResponse,
  ),
  listInvites: operation(
    53,
    "ListInvites",
    "read",
    "account",
    ListInvitesRequest,
    ListInvitesResponse,
  ),
  revokeInvite: operation(
    54,
    "RevokeInvite",
    "write",
    "account",
    RevokeInviteRequest,
    RevokeInviteResponse,
  ),
  createPasswordLink: operation(
    55,
    "CreatePasswordLink",
    "write",
    "account",
    CreatePasswordLinkRequest,
    CreatePasswordLinkResponse,
  ),
  usePasswordLink: operation(
    56,
    "UsePasswordLink",
    "write",
    "none",
    UsePasswordLinkRequest,
    UsePasswordLinkResponse,
  ),
} as const;

export type OperationName = keyof typeof OPERATIONS;
export type RequestOf<N extends OperationName> =
  (typeof OPERATIONS)[N] extends Operation<infer Request, infer _> ? Request : never;
export type ResponseOf<N extends OperationName> =
  (typeof OPERATIONS)[N] extends Operation<infer _, infer Response> ? Response : never;

/** Names by the field number in a session frame. */
export const OPERATION_BY_FIELD: ReadonlyMap<number, OperationName> = new Map(
  (Object.keys(OPERATIONS) as OperationName[]).map((name) => [OPERATIONS[name].fieldNumber, name]),
);
