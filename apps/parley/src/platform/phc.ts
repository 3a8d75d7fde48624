// The PHC string format for argon2id: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`.

export interface Argon2Cost {
  readonly memoryKib: number;
  readonly passes: number;
  readonly parallelism: number;
}

export interface PhcHash extends Argon2Cost {
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

const PATTERN =
  /^\$argon2id\$v=19\$m=(\d{1,8}),t=(\d{1,4}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,88})\$([A-Za-z0-9+/]{16,176})$/;

/** What a stored hash may ask for at the most; above it the string is not one of ours (P11). */
const MEMORY_KIB_MAX = 1024 * 1024;
const PASSES_MAX = 64;
const PARALLELISM_MAX = 16;

function unpaddedBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replace(/=+$/, "");
}

export function formatPhc(value: PhcHash): string {
  const cost = `m=${value.memoryKib},t=${value.passes},p=${value.parallelism}`;
  return `$argon2id$v=19$${cost}$${unpaddedBase64(value.salt)}$${unpaddedBase64(value.hash)}`;
}

/** `undefined` for anything that is not an argon2id string within bounds. */
export function parsePhc(text: string): PhcHash | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const [, memory, passes, parallelism, salt, hash] = match;
  const value: PhcHash = {
    memoryKib: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt ?? "", "base64"),
    hash: Buffer.from(hash ?? "", "base64"),
  };
  const inBounds =
    value.parallelism >= 1 &&
    value.parallelism <= PARALLELISM_MAX &&
    value.passes >= 1 &&
    value.passes <= PASSES_MAX &&
    value.memoryKib >= 8 * value.parallelism &&
    value.memoryKib <= MEMORY_KIB_MAX;
  return inBounds ? value : undefined;
}
