// The names that outside tools rely on, as the .proto files have them. This is a contract: a field that is
// missing here, or has become another type, breaks programs that this project will never see.
import { fileURLToPath } from "node:url";
import { loadSync } from "@grpc/proto-loader";
import { OPERATIONS, REASONS } from "@parley/protocol";
import { expect, test } from "vitest";

const PROTO_FOLDER = fileURLToPath(new URL("../../proto", import.meta.url));

interface Field {
  readonly name: string;
  readonly type: string;
  readonly typeName: string;
  readonly label: string;
}
interface Type {
  readonly name: string;
  readonly field?: readonly Field[];
  readonly oneofDecl?: readonly { readonly name: string }[];
  readonly value?: readonly { readonly name: string; readonly number: number }[];
}
interface Method {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestType: { readonly type: Type };
  readonly responseType: { readonly type: Type };
}

const definition = loadSync(
  ["parley/v1/chat.proto", "parley/v1/cluster.proto", "parley/v1/raft.proto"],
  { includeDirs: [PROTO_FOLDER], keepCase: true },
);

function methodsOf(service: string): Readonly<Record<string, Method>> {
  return definition[service] as unknown as Record<string, Method>;
}

function typeOf(name: string): Type {
  const found = definition[`parley.v1.${name}`] as { readonly type: Type } | undefined;
  if (found === undefined) throw new Error(`parley.v1 has no ${name}`);
  return found.type;
}

/** `uint64 seq`, `repeated Message messages` … as one would write it in a .proto file. */
function fieldsOf(type: Type): readonly string[] {
  return (type.field ?? []).map(({ name, type: kind, typeName, label }) => {
    const word = typeName === "" ? kind.replace("TYPE_", "").toLowerCase() : typeName;
    const short = word.split(".").at(-1);
    return `${label === "LABEL_REPEATED" ? "repeated " : ""}${short} ${name}`;
  });
}

const MESSAGES: Readonly<Record<string, readonly string[]>> = {
  RegisterRequest: ["string username", "string password", "string display_name"],
  RegisterResponse: ["Account account", "string token"],
  LoginRequest: ["string username", "string password"],
  LoginResponse: ["Account account", "string token", "uint64 unread_count"],
  ListAccountsRequest: ["string pattern", "uint32 page_size", "string page_token"],
  ListAccountsResponse: ["repeated Account accounts", "string next_page_token"],
  DeleteAccountRequest: ["string password"],
  CreateRoomRequest: ["string name", "RoomVisibility visibility"],
  CreateRoomResponse: ["Room room"],
  JoinRoomRequest: ["uint64 room_id"],
  ListRoomsResponse: ["repeated Room rooms"],
  OpenDirectRequest: ["string username"],
  OpenDirectResponse: ["Room room"],
  SendRequest: [
    "uint64 room_id",
    "string body",
    "string client_message_id",
    "uint64 reply_to_seq",
    "string after_client_message_id",
  ],
  SendResponse: ["Message message", "uint32 replicas"],
  HistoryRequest: ["uint64 room_id", "uint64 before_seq", "uint64 after_seq", "uint32 limit"],
  HistoryResponse: ["repeated Message messages"],
  MarkReadRequest: ["uint64 room_id", "uint64 seq"],
  DeleteRequest: ["uint64 room_id", "repeated uint64 seqs"],
  EditRequest: ["uint64 room_id", "uint64 seq", "string body", "uint32 expected_version"],
  SubscribeRequest: ["uint64 after_revision"],
  Event: ["uint64 revision", "Message message", "Message message_changed"],
  Message: [
    "uint64 id",
    "uint64 room_id",
    "uint64 seq",
    "uint64 revision",
    "uint64 author_id",
    "string author",
    "string body",
    "uint64 sent_at_ms",
    "string client_message_id",
    "bool deleted",
    "uint64 reply_to_seq",
  ],
  Account: [
    "uint64 id",
    "string username",
    "string display_name",
    "bool online",
    "uint64 last_seen_ms",
  ],
  Room: [
    "uint64 id",
    "string name",
    "RoomVisibility visibility",
    "uint64 last_seq",
    "uint32 member_count",
  ],
  StatusResponse: [
    "string cluster_id",
    "uint64 leader_id",
    "uint64 term",
    "repeated Member members",
  ],
  Member: [
    "uint64 id",
    "uint64 raft_id",
    "MemberRole role",
    "MemberState state",
    "string address",
    "string http_address",
    "uint64 commit_index",
    "uint64 applied_index",
    "uint64 match_index",
    "uint64 last_contact_ms",
    "bool healthy",
  ],
  StateHashRequest: ["uint64 at_index"],
  StateHashResponse: ["uint64 applied_index", "string hash"],
};

test.each(Object.entries(MESSAGES))("%s has its fields", (name, wanted) => {
  expect(fieldsOf(typeOf(name))).toEqual(expect.arrayContaining([...wanted]));
});

test("the services have their methods, each with the request and response of its name", () => {
  const chat = [
    ...["Register", "Login", "Logout", "ListSessions", "RevokeSession", "ChangePassword"],
    ...["DeleteAccount", "ListAccounts", "GetAccount", "UpdateProfile", "CreateRoom"],
    ...["UpdateRoom", "DeleteRoom", "ListRooms", "JoinRoom", "LeaveRoom", "InviteMember"],
    ...["RemoveMember", "SetRole", "ListMembers", "OpenDirect", "Send", "Delete", "History"],
    ...["MarkRead", "Unread"],
  ];
  for (const [service, names] of [
    ["parley.v1.Chat", chat],
    ["parley.v1.Cluster", ["Status", "StateHash"]],
  ] as const) {
    for (const name of names) {
      const method = methodsOf(service)[name];
      expect(method?.path, name).toBe(`/${service}/${name}`);
      expect(method?.requestType.type.name).toBe(`${name}Request`);
      expect(method?.responseType.type.name).toBe(`${name}Response`);
      expect(method?.requestStream || method?.responseStream, name).toBe(false);
    }
  }
  const shapes = (service: string, name: string) => {
    const method = methodsOf(service)[name];
    const kind = (stream: boolean | undefined, type: Type | undefined) =>
      `${stream ? "stream " : ""}${type?.name}`;
    return [
      kind(method?.requestStream, method?.requestType.type),
      kind(method?.responseStream, method?.responseType.type),
    ];
  };
  expect(shapes("parley.v1.Chat", "Session")).toEqual(["stream ClientFrame", "stream ServerFrame"]);
  expect(shapes("parley.v1.Chat", "Subscribe")).toEqual(["SubscribeRequest", "stream Event"]);
  expect(shapes("parley.v1.Cluster", "Watch")).toEqual(["WatchRequest", "stream StatusResponse"]);
  expect(shapes("parley.v1.Raft", "Peer")).toEqual(["stream PeerFrame", "stream PeerFrame"]);
});

test("enums have their words", () => {
  const words = (name: string) => (typeOf(name).value ?? []).map((one) => one.name);
  expect(words("RoomVisibility")).toEqual(
    expect.arrayContaining(["ROOM_VISIBILITY_PUBLIC", "ROOM_VISIBILITY_PRIVATE"]),
  );
  expect(words("Consistency")).toEqual(
    expect.arrayContaining(["CONSISTENCY_LOCAL", "CONSISTENCY_LINEARIZABLE"]),
  );
  expect(typeOf("Event").oneofDecl?.map((one) => one.name)).toEqual(["event"]);
});

test("every operation is a unary RPC and a request of the session, and the other way round", () => {
  const unary = Object.entries(methodsOf("parley.v1.Chat"))
    .filter(([, method]) => !method.requestStream && !method.responseStream)
    .map(([name]) => name);
  const table = Object.values(OPERATIONS).map((operation) => operation.rpc);
  expect(unary.sort()).toEqual([...table].sort());
  for (const name of ["Request", "Reply"]) {
    const carried = (typeOf(name).field ?? []).flatMap(({ typeName }) => {
      const word = typeName.split(".").at(-1) ?? "";
      return /^(.+)(Request|Response)$/.exec(word)?.[1] ?? [];
    });
    expect(carried.sort(), name).toEqual([...table].sort());
  }
});

test("P4: every read takes consistency and min_revision, and answers revision and stale_ms", () => {
  const reads = Object.values(OPERATIONS).filter((operation) => operation.kind === "read");
  expect(reads.length).toBeGreaterThanOrEqual(7);
  for (const { rpc } of reads) {
    expect(fieldsOf(typeOf(`${rpc}Request`)), rpc).toEqual(
      expect.arrayContaining(["Consistency consistency", "uint64 min_revision"]),
    );
    expect(fieldsOf(typeOf(`${rpc}Response`)), rpc).toEqual(
      expect.arrayContaining(["uint64 revision", "uint64 stale_ms"]),
    );
  }
  // Named List, Get, History or Unread, and in no table as a read: somebody forgot.
  for (const { rpc, kind } of Object.values(OPERATIONS)) {
    if (/^(List|Get|History|Unread|Thread|Search)/.test(rpc)) expect(kind, rpc).toBe("read");
  }
});

test("an error says its code, a stable reason, a sentence, the delay and the leader", () => {
  expect(fieldsOf(typeOf("Error"))).toEqual(
    expect.arrayContaining([
      "uint32 code",
      "string reason",
      "string message",
      "uint32 retry_after_ms",
      "uint64 leader_id",
    ]),
  );
  const named = ["NOT_LEADER", "NO_QUORUM", "BEHIND", "RATE_LIMITED", "TOO_LARGE"];
  expect(Object.keys(REASONS)).toEqual(
    expect.arrayContaining([
      ...named,
      ...["PREDECESSOR_MISSING", "ID_REUSED", "ID_EXPIRED", "UNAUTHENTICATED", "WRONG_CLUSTER"],
    ]),
  );
});
