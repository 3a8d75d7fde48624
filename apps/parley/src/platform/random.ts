// Randomness and digests of the operating system and OpenSSL.
import { hash, randomBytes, randomInt } from "node:crypto";
import type { Random, Sha256 } from "@parley/node";

/** Cryptographic randomness throughout: election timeouts need less, tokens do not. */
export const systemRandom: Random = {
  int: (bound) => randomInt(bound),
  bytes: (length) => randomBytes(length),
};

export const sha256: Sha256 = (data) => hash("sha256", data, "buffer");
