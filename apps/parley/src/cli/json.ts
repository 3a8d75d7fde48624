// Replies as JSON for scripts: the names of the .proto files, enums as words.
import {
  Consistency,
  MemberRole,
  MemberState,
  RoomRemovalReason,
  RoomRole,
  RoomVisibility,
} from "@parley/protocol";

type Enum = Readonly<Record<string, number>>;

/** By field name; `role` and `state` of a cluster's member are told by their own kind of object. */
const CHAT_ENUMS: ReadonlyMap<string, Enum> = new Map<string, Enum>([
  ["visibility", RoomVisibility],
  ["role", RoomRole],
  ["reason", RoomRemovalReason],
  ["consistency", Consistency],
]);
const CLUSTER_ENUMS: ReadonlyMap<string, Enum> = new Map<string, Enum>([
  ["role", MemberRole],
  ["targetRole", MemberRole],
  ["state", MemberState],
]);

function nameOf(kind: Enum, value: number): string | number {
  return Object.keys(kind).find((name) => kind[name] === value) ?? value;
}

function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function convert(value: unknown, key: string, enums: ReadonlyMap<string, Enum>): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map((item) => convert(item, key, enums));
  if (typeof value === "object" && value !== null) return convertObject(value, enums);
  const kind = enums.get(key);
  return kind !== undefined && typeof value === "number" ? nameOf(kind, value) : value;
}

function convertObject(value: object, enums: ReadonlyMap<string, Enum>): object {
  // ts-proto's union of a oneof: its case becomes the field, as in the .proto file.
  if ("$case" in value && "value" in value && typeof value.$case === "string") {
    return { [snakeCase(value.$case)]: convert(value.value, value.$case, enums) };
  }
  const converted: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(value)) {
    if (field === undefined) continue;
    if (typeof field === "object" && field !== null && "$case" in field) {
      Object.assign(converted, convertObject(field, enums));
    } else converted[snakeCase(key)] = convert(field, key, enums);
  }
  return converted;
}

export function chatJson(message: object): string {
  return JSON.stringify(convertObject(message, CHAT_ENUMS));
}

export function clusterJson(message: object): string {
  return JSON.stringify(convertObject(message, CLUSTER_ENUMS));
}
