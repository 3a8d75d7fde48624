// Files: a message that was acknowledged with files has them, the bytes are those that were uploaded, on every node; and whoever reads one
// is given these bytes, or told that it was deleted.
import type { Reason } from "@parley/protocol";
import type { Coverage } from "../coverage.ts";
import type { Checker, FinalState, Operation, Outcome, Report } from "../observer.ts";

const PROPERTY = "files";

/** What is said of requests that the SDK does not make. */
const NEVER: ReadonlySet<Reason> = new Set<Reason>(["TOO_LARGE", "INVALID_ARGUMENT", "ID_REUSED"]);

export class Files implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #coverage: Coverage;
  readonly #isSdk: (client: string) => boolean;

  /** `isSdk`: who makes no requests that make no sense. */
  constructor(report: Report, coverage: Coverage, isSdk: (client: string) => boolean) {
    this.#isSdk = isSdk;
    this.#report = report;
    this.#coverage = coverage;
  }

  onOutcome({ kind, client }: Operation, outcome: Outcome): void {
    const isUpload = kind.kind === "write" && kind.name === "upload";
    if (
      isUpload &&
      this.#isSdk(client) &&
      outcome.kind === "refused" &&
      NEVER.has(outcome.reason)
    ) {
      this.#say(`${client} can't upload a good piece: ${outcome.reason}`);
    }
    if (kind.kind !== "send" || outcome.kind !== "sent" || outcome.message.deleted) return;
    const got = outcome.message.attachments.map(({ sha256 }) => hex(sha256));
    const given = kind.files.map(hex);
    if (got.join() !== given.join()) {
      this.#say(`${client} sent ${kind.clientMessageId} with [${given}], and it has [${got}]`);
    }
    this.#coverage.add("files-sent", given.length);
  }

  onDownload(client: string, fileId: number, problem: string, part: "file" | "preview"): void {
    if (problem === "") this.#coverage.add(part === "file" ? "files-read" : "previews-read");
    if (problem === "CORRUPT") this.#say(`${client} is given other bytes for ${part} ${fileId}`);
  }

  atEnd({ nodes }: FinalState): void {
    for (const { nodeId, files, rooms } of nodes) {
      for (const [fileId, { sha256, actual }] of files) {
        if (hex(sha256) === hex(actual)) continue;
        this.#say(`node ${nodeId} has other bytes for file ${fileId}`);
      }
      for (const { deleted, attachments, id } of [...rooms.values()].flat()) {
        if (deleted && attachments.length > 0) this.#say(`deleted message ${id} keeps its files`);
        for (const { fileId } of attachments) {
          if (!files.has(fileId)) this.#say(`node ${nodeId} lacks file ${fileId} of message ${id}`);
        }
      }
    }
  }

  #say(detail: string): void {
    this.#report({ property: PROPERTY, detail });
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex").slice(0, 16);
}
