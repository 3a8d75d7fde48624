// The certificates that a node works with now. Changed files are taken up without a restart: new
// handshakes use the new ones, connections that stand stay. Files that cannot be used change nothing.
import { stat } from "node:fs/promises";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import type { Logger } from "@parley/node";
import {
  CertificateError,
  day,
  type ExpectedOwner,
  readTlsMaterial,
  type TlsFiles,
  type TlsMaterial,
} from "./reading.ts";

/** Looked at by the clock and not by notification: that works on every file system, and for links too. */
const LOOK_EVERY_MS = 1_000;
const EXPIRY_WARNING_MS = 30 * 24 * 60 * 60_000;
const EXPIRY_REPEAT_MS = 24 * 60 * 60_000;

/** What identifies the content of the files without reading them; off the loop, since a disk may hang. */
async function signatureOf(files: TlsFiles): Promise<string> {
  const parts = [files.ca, files.cert, files.key].map(async (file) => {
    const found = await stat(file, { bigint: true }).catch(() => undefined);
    return found === undefined ? "-" : `${found.ino}:${found.size}:${found.mtimeNs}`;
  });
  return (await Promise.all(parts)).join(" ");
}

export class NodeTls {
  readonly #files: TlsFiles;
  readonly #owner: ExpectedOwner;
  readonly #logger: Logger;
  readonly #listeners: ((options: SecureContextOptions) => void)[] = [];
  #material: TlsMaterial;
  #dialContext: SecureContext;
  /** Undefined until the first look, which therefore reads the files again. */
  #signature: string | undefined;
  #isLooking = false;
  #timer: NodeJS.Timeout | undefined;
  #warnedAtMs = Number.NEGATIVE_INFINITY;

  /** Throws a CertificateError when the files cannot be used. */
  constructor(files: TlsFiles, owner: ExpectedOwner, logger: Logger) {
    this.#files = files;
    this.#owner = owner;
    this.#logger = logger;
    this.#material = readTlsMaterial(files, owner, Date.now());
    this.#dialContext = createSecureContext(this.contextOptions);
    this.#report(this.#material);
  }

  get material(): TlsMaterial {
    return this.#material;
  }

  /** For listening sockets. */
  get contextOptions(): SecureContextOptions {
    const { ca, cert, key } = this.#material;
    return { ca, cert, key, minVersion: "TLSv1.2" };
  }

  /** For connections to peers. */
  get dialContext(): SecureContext {
    return this.#dialContext;
  }

  /** Called with the new options whenever the files have changed and are sound. */
  onChange(listener: (options: SecureContextOptions) => void): void {
    this.#listeners.push(listener);
  }

  watch(): void {
    this.#timer ??= setInterval(() => void this.look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Takes up files that have changed. Never rejects. */
  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#warnOfExpiry();
    const signature = await signatureOf(this.#files);
    this.#isLooking = false;
    if (signature === this.#signature) return;
    this.#signature = signature;
    this.#takeUp();
  }

  #takeUp(): void {
    try {
      const material = readTlsMaterial(this.#files, this.#owner, Date.now());
      const { ca: oldCa, cert: oldCert, key: oldKey } = this.#material;
      if (material.ca === oldCa && material.cert === oldCert && material.key === oldKey) return;
      const { ca, cert, key, own } = material;
      if (own.cluster !== this.#material.own.cluster) {
        throw new CertificateError(
          `${this.#files.cert}: it is of cluster ${own.cluster}, but this node belongs to ${this.#material.own.cluster}`,
        );
      }
      const context = createSecureContext({ ca, cert, key, minVersion: "TLSv1.2" });
      this.#material = material;
      this.#dialContext = context;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      this.#logger.error(
        { event: "certificates" },
        `the certificates have changed but cannot be used, so those from before stay: ${why}`,
      );
      return;
    }
    for (const listener of this.#listeners) listener(this.contextOptions);
    this.#logger.info(
      { event: "certificates", expires: new Date(this.#material.expiresAtMs).toISOString() },
      "the certificates have changed; new connections use the new ones",
    );
    this.#report(this.#material);
  }

  #report({ warnings }: TlsMaterial): void {
    for (const warning of warnings) this.#logger.warn({ event: "certificates" }, warning);
    this.#warnedAtMs = Number.NEGATIVE_INFINITY;
    this.#warnOfExpiry();
  }

  #warnOfExpiry(): void {
    const now = Date.now();
    const { expiresAtMs } = this.#material;
    if (expiresAtMs - now > EXPIRY_WARNING_MS || now - this.#warnedAtMs < EXPIRY_REPEAT_MS) return;
    this.#warnedAtMs = now;
    this.#logger.warn(
      { event: "certificates" },
      `the node's certificate expires on ${day(new Date(expiresAtMs))}; put a new one in its place (no restart is needed)`,
    );
  }
}
