// Request ids: UUIDv7 (RFC 9562, section 5.7), in lower case, whose first 48 bits are a time.

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Whether `text` is a UUIDv7 in its canonical lower-case form. */
export function isUuidV7(text: string): boolean {
  return text.length === 36 && UUID_V7.test(text);
}

/** The time in a canonical UUIDv7, in milliseconds since the Unix epoch. */
export function uuidV7TimeMs(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
