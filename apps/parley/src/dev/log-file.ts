// A node's full log on disk, of bounded size: when it is full it becomes `….1` and a new one begins.
import { appendFileSync, mkdirSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";

const FILE_BYTES_MAX = 16 * 1024 * 1024;

export class LogFile {
  readonly #path: string;
  readonly #bytesMax: number;
  #bytes: number;
  #broken = false;

  constructor(path: string, bytesMax = FILE_BYTES_MAX) {
    this.#path = path;
    this.#bytesMax = bytesMax;
    mkdirSync(dirname(path), { recursive: true });
    this.#bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** A disk that is full costs the log, never the cluster. */
  write(text: string): void {
    if (this.#broken) return;
    try {
      if (this.#bytes > this.#bytesMax) {
        renameSync(this.#path, `${this.#path}.1`);
        this.#bytes = 0;
      }
      appendFileSync(this.#path, text);
      this.#bytes += Buffer.byteLength(text);
    } catch {
      this.#broken = true;
    }
  }
}
