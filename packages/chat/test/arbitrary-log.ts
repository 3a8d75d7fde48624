// Random logs for the property tests: mostly commands that hit something, because ids and names come
// from small pools; some with absurd values; some bytes that are no command at all.
import { Command, LIMITS } from "@parley/protocol";
import fc from "fast-check";
import { needsActor } from "../src/check-command.ts";
import { raiseStateVersionCommand, STATE_VERSION, stampCommand } from "../src/index.ts";
import { type Op, versionOf } from "../src/state-version.ts";
import { HOUR_MS, START_MS, TTL_MS, tokenHash, uuid } from "./world.ts";

/** Ids are log indices, so small numbers name what the log has made. */
const someId = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 1, max: 14 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 999, 2 ** 32, Number.MAX_SAFE_INTEGER) },
);
const accountId = fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 1, max: 4 }) }, someId);
const roomId = fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 5, max: 9 }) }, someId);
const seq = fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 0, max: 6 }) }, someId);
/** Often a thread of the first messages, which the prologue sent. */
const threadRootSeq = fc.oneof(
  { weight: 5, arbitrary: fc.constant(0) },
  { weight: 5, arbitrary: fc.constantFrom(1, 2) },
  seq,
);
const absurdText = fc.constantFrom(
  "",
  "\0",
  "__proto__",
  "a".repeat(20_000),
  "\ud800",
  "\u202e",
  "‮x",
);
const text = (...usual: string[]) =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...usual) },
    { weight: 1, arbitrary: absurdText },
  );
const token = fc.integer({ min: 0, max: 20 }).map(tokenHash);
const inviteSecret = fc.integer({ min: 500, max: 501 }).map(tokenHash);
const maybeInvite = fc.oneof(
  { weight: 3, arbitrary: fc.constant(new Uint8Array(0)) },
  { weight: 2, arbitrary: inviteSecret },
);
const clientId = text("m1", "m2", "m3", "m4", "m5", "constructor");
const clientFileId = text("f1", "f2", "f3", "f4");

const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      $case: fc.constant("register" as const),
      value: fc.record({
        username: text("anna", "bob", "carol", "dave", "__proto__", "cop", "\u0441\u043e\u0440"),
        usernameKey: text("anna", "bob", "carol", "dave", "__proto__", "cop", "\u0441\u043e\u0440"),
        displayName: text("Anna", "Bob"),
        passwordHash: text("phc"),
        tokenHash: token,
        tokenTtlMs: fc.constantFrom(TTL_MS, 1, 0, Number.MAX_SAFE_INTEGER),
        device: text("terminal", ""),
        notOwner: fc.boolean(),
        inviteOnlyByDefault: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.boolean()),
        inviteHash: maybeInvite,
      }),
    }),
  },
  { weight: 2, arbitrary: op1("setRegistration", { mode: fc.constantFrom(0, 1, 2, 3) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      $case: fc.constant("createSession" as const),
      value: fc.record({
        tokenHash: token,
        tokenTtlMs: fc.constantFrom(TTL_MS, HOUR_MS),
        device: text("terminal"),
        credentialsRevision: accountId,
      }),
    }),
  },
  op1("endSession", { sessionId: someId }),
  op1("setPassword", {
    passwordHash: text("phc2"),
    keepSessionId: someId,
    credentialsRevision: fc.oneof(accountId, fc.constant(0)),
    targetAccountId: fc.oneof(accountId, fc.constant(0)),
  }),
  op1("createPasswordLink", {
    accountId,
    secretHash: inviteSecret,
    ttlMs: fc.constantFrom(0, 1, HOUR_MS, Number.MAX_SAFE_INTEGER),
  }),
  op1("usePasswordLink", { secretHash: inviteSecret, passwordHash: text("phc3") }),
  op1("deleteAccount", { credentialsRevision: accountId }),
  op1("updateProfile", { displayName: text("A", "B") }),
  op1("createRoom", {
    name: text("One", "Two"),
    nameKey: text("one", "room 0", "room 1"),
    visibility: fc.constantFrom(0, 1, 2, 3, 7 as never),
    topic: text("", "talk"),
  }),
  op1("updateRoom", {
    roomId,
    name: text("Three", "One"),
    nameKey: text("three", "one"),
    topic: text("", "more"),
    visibility: fc.constantFrom(0, 1, 2, 3),
  }),
  op1("deleteRoom", { roomId }),
  { weight: 3, arbitrary: op1("joinRoom", { roomId, inviteHash: maybeInvite }) },
  {
    weight: 4,
    arbitrary: op1("createInvite", {
      roomId: fc.oneof({ weight: 6, arbitrary: roomId }, fc.constant(0)),
      secretHash: fc.oneof({ weight: 9, arbitrary: inviteSecret }, fc.constant(new Uint8Array(31))),
      ttlMs: fc.constantFrom(0, 500, HOUR_MS, Number.MAX_SAFE_INTEGER),
      usesMax: fc.constantFrom(0, 1, 2, 100_001),
    }),
  },
  op1("revokeInvite", { inviteId: someId }),
  op1("leaveRoom", { roomId }),
  { weight: 2, arbitrary: op1("inviteMember", { roomId, accountId }) },
  { weight: 2, arbitrary: op1("removeMember", { roomId, accountId, ban: fc.boolean() }) },
  op1("setRole", { roomId, accountId, role: fc.constantFrom(0, 1, 2, 3, -1) }),
  op1("openDirect", { accountId }),
  op1("block", { accountId, blocked: fc.boolean() }),
  {
    weight: 8,
    arbitrary: op1("send", {
      roomId,
      body: text("hello", "how are you?", "x".repeat(300)),
      clientMessageId: clientId,
      replyToSeq: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, seq),
      afterClientMessageId: fc.oneof({ weight: 3, arbitrary: fc.constant("") }, clientId),
      mentionIds: fc.oneof(
        { weight: 3, arbitrary: fc.constant([]) },
        { weight: 3, arbitrary: fc.array(accountId, { maxLength: 4 }) },
        { weight: 1, arbitrary: fc.constant(Array(51).fill(1)) },
      ),
      mentionsRoom: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.boolean()),
      threadRootSeq,
      clientFileIds: fc.oneof(
        { weight: 4, arbitrary: fc.constant([]) },
        { weight: 1, arbitrary: fc.uniqueArray(clientFileId, { maxLength: 3 }) },
        { weight: 1, arbitrary: fc.constant(["f1", "f1"]) },
      ),
    }),
  },
  {
    weight: 5,
    arbitrary: op1("upload", {
      clientFileId,
      name: text("a picture.png", "b.txt"),
      size: fc.oneof(fc.constant(4), fc.constantFrom(8, 0, LIMITS.fileBytesMax + 1)),
      sha256: fc.oneof(
        fc.constant(new Uint8Array(32)),
        fc.constantFrom(new Uint8Array(32).fill(1), new Uint8Array(3)),
      ),
      offset: fc.oneof(fc.constant(0), fc.constantFrom(4, 8, 3)),
      data: fc.oneof(
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        fc.uint8Array({ minLength: 0, maxLength: 8 }),
      ),
      preview: fc.uint8Array({ minLength: 0, maxLength: 2 }),
    }),
  },
  {
    weight: 3,
    arbitrary: op1("delete", {
      roomId,
      seqs: fc.oneof(
        seq.map((one) => [one]),
        fc.array(seq, { maxLength: 4 }),
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: op1("edit", {
      roomId,
      seq,
      body: text("hello again", "better"),
      expectedVersion: fc.oneof({ weight: 6, arbitrary: fc.constantFrom(0, 1) }, fc.nat()),
    }),
  },
  {
    weight: 4,
    arbitrary: op1("react", { roomId, seq, emoji: text("+1", "\u2764\ufe0f"), add: fc.boolean() }),
  },
  { weight: 3, arbitrary: op1("pin", { roomId, seq, pinned: fc.boolean() }) },
  { weight: 2, arbitrary: op1("followThread", { roomId, seq, follow: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: op1("setRoomPreference", {
      roomId,
      starred: fc.option(fc.boolean(), { nil: undefined }),
      muted: fc.option(fc.boolean(), { nil: undefined }),
    }),
  },
  {
    weight: 6,
    arbitrary: op1("muteMember", {
      roomId,
      accountId,
      muted: fc.oneof(fc.constant(true), fc.boolean()),
      durationMs: fc.constantFrom(0, 1, 60_000),
    }),
  },
  op1("setReadReceipts", { shown: fc.boolean() }),
  op1("raiseStateVersion", {
    stateVersion: fc.oneof(fc.constant(STATE_VERSION), fc.integer({ min: 0, max: STATE_VERSION })),
  }),
  { weight: 3, arbitrary: op1("markRead", { roomId, seq, threadRootSeq }) },
);

function op1<K extends Op["$case"]>(
  $case: K,
  value: { [F in keyof Extract<Op, { $case: K }>["value"]]: fc.Arbitrary<unknown> },
): fc.Arbitrary<Op> {
  const fields = value as unknown as Record<string, fc.Arbitrary<unknown>>;
  return fc.record({ $case: fc.constant($case), value: fc.record(fields) }) as fc.Arbitrary<never>;
}

const OWNERS: ReadonlySet<Op["$case"]> = new Set(["setRegistration", "createPasswordLink"]);

const requestId = fc
  .record({
    hours: fc.constantFrom(0, 0, 0, 0, -30, -23, 23, 30),
    n: fc.integer({ min: 0, max: 200 }),
  })
  .map(({ hours, n }) => uuid(START_MS + hours * HOUR_MS, n));

const command: fc.Arbitrary<Uint8Array> = fc
  .record({
    op,
    // Mostly as time goes; sometimes back, and sometimes far ahead.
    stampMs: fc.oneof(
      { weight: 20, arbitrary: fc.integer({ min: 0, max: 1000 }).map((ms) => START_MS + ms) },
      {
        weight: 1,
        arbitrary: fc.constantFrom(0, START_MS + 26 * HOUR_MS, Number.MAX_SAFE_INTEGER),
      },
    ),
    accountId,
    sessionId: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, accountId, someId),
    requestId: fc.oneof({ weight: 20, arbitrary: requestId }, text("x", "__proto__")),
    hasVersion: fc.oneof({ weight: 40, arbitrary: fc.constant(true) }, fc.constant(false)),
  })
  .map(({ op: made, hasVersion, ...rest }) => {
    const hasActor = needsActor(made.$case);
    const whole: Command = {
      ...rest,
      version: hasVersion ? versionOf(made) : 0,
      // What the owner alone may do is done by the owner.
      accountId: OWNERS.has(made.$case) ? 1 : hasActor ? rest.accountId : 0,
      op: made,
    };
    return encoded(whole);
  });

/** Text that UTF-8 can't carry makes the encoder throw; then an empty operation stands for it. */
function encoded(whole: Command): Uint8Array {
  try {
    return Command.encode(whole).finish();
  } catch {
    return Command.encode({ ...whole, requestId: "", op: undefined }).finish();
  }
}

/** Four accounts (1–4), four rooms (5–8) and a direct one (9), with some people and talk in them; the newest state version. */
export function prologue(): Uint8Array[] {
  const names = ["anna", "bob", "carol", "dave"];
  const accounts = names.map((name, i) =>
    made(0, i, {
      $case: "register",
      value: {
        username: name,
        usernameKey: name,
        displayName: name,
        passwordHash: "phc",
        tokenHash: tokenHash(100 + i),
        tokenTtlMs: TTL_MS,
        device: "",
        notOwner: false,
        inviteOnlyByDefault: false,
        inviteHash: new Uint8Array(0),
      },
    }),
  );
  const room = (owner: number, n: number, visibility: 1 | 2): Uint8Array =>
    made(owner, 10 + n, {
      $case: "createRoom",
      value: { name: `Room ${n}`, nameKey: `room ${n}`, visibility, topic: "" },
    });
  const direct = made(1, 20, { $case: "openDirect", value: { accountId: 2 } });
  const rooms = [room(1, 0, 1), room(2, 1, 1), room(1, 2, 2), room(3, 3, 2), direct];
  let n = 30;
  const join = (account: number, roomId: number): Uint8Array =>
    made(account, n++, { $case: "joinRoom", value: { roomId, inviteHash: new Uint8Array(0) } });
  const say = (account: number, roomId: number, threadRootSeq = 0): Uint8Array =>
    made(account, n, {
      $case: "send",
      value: {
        roomId,
        body: "hello",
        clientMessageId: `early ${n++}`,
        replyToSeq: 0,
        afterClientMessageId: "",
        clientFileIds: [],
        mentionIds: [],
        mentionsRoom: false,
        threadRootSeq,
      },
    });
  const joins = [join(2, 5), join(3, 5), join(1, 6), join(3, 6), join(4, 6)];
  const talk = [say(1, 5), say(2, 5), say(3, 6), say(1, 6), say(1, 5), say(2, 9), say(4, 6)];
  const raise = Command.encode(raiseStateVersionCommand(STATE_VERSION)).finish();
  const replies = [say(2, 5, 1), say(3, 5, 1), say(1, 5, 2), say(4, 6, 1)];
  const invite = made(1, n++, {
    $case: "createInvite",
    value: { roomId: 7, secretHash: tokenHash(500), ttlMs: 0, usesMax: 2 },
  });
  const link = made(1, n++, {
    $case: "createPasswordLink",
    value: { accountId: 3, secretHash: tokenHash(501), ttlMs: HOUR_MS },
  });
  const later = [...replies, invite, link];
  return [...accounts, ...rooms, ...joins, ...talk, stampCommand(raise, START_MS), ...later];
}

function made(account: number, n: number, made: Op): Uint8Array {
  const bytes = Command.encode({
    version: versionOf(made),
    stampMs: 0,
    accountId: account,
    sessionId: 0,
    requestId: uuid(START_MS, 1_000 + n),
    op: made,
  }).finish();
  return stampCommand(bytes, START_MS);
}

/** Bytes that are no command, or one cut short; never of a newer version. */
const garbage = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => {
    bytes[0] = 0xff;
    return bytes;
  }),
  fc.tuple(command, fc.nat(60)).map(([bytes, length]) => bytes.slice(0, Math.max(2, length))),
  fc.constant(new Uint8Array(0)),
);

/** A log's commands, the prologue first. */
export const arbitraryLog: fc.Arbitrary<Uint8Array[]> = fc
  .array(fc.oneof({ weight: 12, arbitrary: command }, { weight: 1, arbitrary: garbage }), {
    minLength: 20,
    maxLength: 120,
    size: "max",
  })
  .map((commands) => [...prologue(), ...commands]);

/** Sizes of batches that a log is cut into, repeated as needed. */
export const arbitraryCuts: fc.Arbitrary<number[]> = fc.array(fc.integer({ min: 1, max: 17 }), {
  minLength: 1,
  maxLength: 12,
});

export interface LogEntry {
  readonly index: number;
  readonly term: number;
  readonly command: Uint8Array;
}

export function asEntries(commands: readonly Uint8Array[]): LogEntry[] {
  return commands.map((bytes, i) => ({ index: i + 1, term: 1, command: bytes }));
}

export function cut(log: readonly LogEntry[], cuts: readonly number[]): LogEntry[][] {
  const batches: LogEntry[][] = [];
  for (let at = 0, i = 0; at < log.length; i++) {
    const size = cuts[i % cuts.length] ?? 1;
    batches.push(log.slice(at, at + size));
    at += size;
  }
  return batches;
}
