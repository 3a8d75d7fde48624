// `parley dev --demo`: a chat that looks lived in, for whoever wants to see one before they have one. Written by the SDK like
// anything else; each message has an id of its own, so that a run that was broken off is completed by the next (P2).
import { ParleyClient, ParleyError, RoomVisibility } from "@parley/client";
import { grpcCarrier, type TlsOptions } from "@parley/client/grpc";
import { DEMO_ROOMS, type DemoLine, type DemoRoom, PEOPLE, type Person } from "./demo-content.ts";

/** Everybody's, and printed: a demonstration is for this machine alone. */
export const DEMO_PASSWORD = "open sesame, please";

export interface DemoOptions {
  readonly servers: readonly string[];
  readonly tls?: TlsOptions | undefined;
}

/** Resolves when everything is there. Rejects with a ParleyError, when the chat is not a demonstration's, for instance. */
export async function fillDemo(options: DemoOptions): Promise<void> {
  const clients = new Map<Person, ParleyClient>();
  try {
    for (const person of Object.keys(PEOPLE) as Person[]) {
      clients.set(person, await signIn(options, person));
    }
    const of = (person: Person): ParleyClient => {
      const client = clients.get(person);
      if (client === undefined) throw new Error(`nobody is called ${person}`);
      return client;
    };
    for (const [at, room] of DEMO_ROOMS.entries()) await fillRoom(room, `demo-${at + 1}`, of);
  } finally {
    await Promise.all([...clients.values()].map((client) => client.close()));
  }
}

async function signIn({ servers, tls }: DemoOptions, person: Person): Promise<ParleyClient> {
  const client = new ParleyClient({ servers, carrier: grpcCarrier({ tls }) });
  try {
    await client.start();
    const fields = { username: person, password: DEMO_PASSWORD };
    try {
      await client.register(fields);
      await client.call("updateProfile", { displayName: PEOPLE[person] });
    } catch (cause) {
      if (!(cause instanceof ParleyError) || cause.reason !== "USERNAME_TAKEN") throw cause;
      await client.login(fields);
    }
    return client;
  } catch (cause) {
    await client.close();
    throw cause;
  }
}

/** `id` begins the ids of its messages. */
async function fillRoom(
  room: DemoRoom,
  id: string,
  of: (person: Person) => ParleyClient,
): Promise<void> {
  const [first, ...others] = room.members;
  const roomId = await openRoom(room, of(first));
  if (room.kind === "public") {
    for (const person of others) {
      const { rooms } = await of(person).call("listRooms", {});
      if (!rooms.some(({ id }) => id === roomId)) await of(person).call("joinRoom", { roomId });
    }
  } else if (room.kind === "private") {
    const inside = await of(first).call("listMembers", { roomId });
    const names = new Set(inside.members.map(({ account }) => account?.username));
    for (const username of others) {
      if (!names.has(username)) await of(first).call("inviteMember", { roomId, username });
    }
  }
  const seqs: number[] = [];
  for (const [at, line] of room.lines.entries()) {
    seqs.push(await say(line, roomId, `${id}-${at + 1}`, seqs, of));
  }
  // Whoever reads to the end has read it; the others find something new.
  for (const person of room.readBy) {
    await of(person).call("markRead", { roomId, seq: seqs.at(-1) ?? 0 });
  }
}

async function openRoom(room: DemoRoom, client: ParleyClient): Promise<number> {
  if (room.kind === "direct") {
    const [, username] = room.members;
    const { room: opened } = await client.call("openDirect", { username: username ?? "" });
    return opened?.id ?? 0;
  }
  const { rooms } = await client.call("listRooms", {});
  const known = rooms.find(({ name }) => name === room.name);
  if (known !== undefined) return known.id;
  const visibility =
    room.kind === "public"
      ? RoomVisibility.ROOM_VISIBILITY_PUBLIC
      : RoomVisibility.ROOM_VISIBILITY_PRIVATE;
  const created = await client.call("createRoom", {
    name: room.name,
    topic: room.topic,
    visibility,
  });
  return created.room?.id ?? 0;
}

/** Resolves with the message's number. */
async function say(
  line: DemoLine,
  roomId: number,
  clientMessageId: string,
  seqs: readonly number[],
  of: (person: Person) => ParleyClient,
): Promise<number> {
  const replyToSeq = line.answers === undefined ? 0 : (seqs.at(-line.answers) ?? 0);
  const sent = await of(line.by).send(roomId, line.text, { clientMessageId, replyToSeq });
  const { seq } = sent.message;
  for (const [emoji, people] of Object.entries(line.reactions ?? {})) {
    for (const person of people) {
      await of(person).call("react", { roomId, seq, emoji, add: true });
    }
  }
  if (line.pinned === true) await of(line.by).call("pin", { roomId, seq, pinned: true });
  return seq;
}
