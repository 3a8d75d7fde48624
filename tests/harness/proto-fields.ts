// The fields of every unary method, read from the .proto files, and fields by hand: any number, any
// wire type, any bytes.
import { fileURLToPath } from "node:url";
import { loadSync } from "@grpc/proto-loader";

const PROTO_FOLDER = fileURLToPath(new URL("../../proto", import.meta.url));

export interface ProtoField {
  readonly name: string;
  readonly number: number;
  readonly kind: "number" | "enum" | "string" | "other";
}

export interface UnaryMethod {
  readonly path: string;
  readonly fields: readonly ProtoField[];
}

interface Described {
  readonly field?: readonly {
    readonly name: string;
    readonly number: number;
    readonly type: string;
  }[];
}

function kindOf(type: string): ProtoField["kind"] {
  if (type === "TYPE_UINT64" || type === "TYPE_UINT32") return "number";
  if (type === "TYPE_ENUM") return "enum";
  return type === "TYPE_STRING" ? "string" : "other";
}

/** Every unary method of Chat and Cluster. */
export function unaryMethods(): readonly UnaryMethod[] {
  const definition = loadSync(["parley/v1/chat.proto", "parley/v1/cluster.proto"], {
    includeDirs: [PROTO_FOLDER],
    keepCase: true,
  });
  return ["parley.v1.Chat", "parley.v1.Cluster"].flatMap((service) => {
    const methods = Object.values(definition[service] ?? {}) as {
      readonly path: string;
      readonly requestStream: boolean;
      readonly responseStream: boolean;
      readonly requestType: { readonly type: Described };
    }[];
    return methods
      .filter((method) => !method.requestStream && !method.responseStream)
      .map((method) => ({
        path: method.path.slice(1),
        fields: (method.requestType.type.field ?? []).map((field) => ({
          name: field.name,
          number: field.number,
          kind: kindOf(field.type),
        })),
      }));
  });
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

/** A number field; negative ones as ten bytes, as protobuf has them. */
export function numberField(fieldNumber: number, value: bigint): Uint8Array {
  return Buffer.concat([varint(BigInt(fieldNumber * 8)), varint(value)]);
}

/** A string, bytes or message field. */
export function bytesField(fieldNumber: number, content: Uint8Array | string): Uint8Array {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  return Buffer.concat([varint(BigInt(fieldNumber * 8 + 2)), varint(BigInt(bytes.length)), bytes]);
}

/** The field under each of the eight wire types, the two that do not exist too. */
export function everyWireType(fieldNumber: number): readonly Uint8Array[] {
  return Array.from({ length: 8 }, (_, wireType) =>
    Buffer.concat([varint(BigInt(fieldNumber * 8 + wireType)), new Uint8Array(9).fill(1)]),
  );
}
