// The SQLite chat store with the small stand-in for the chat; see `fake-chat.ts`.
import type { Logger } from "@parley/node/ports";

/** For the option `module` of the store. */
export const fakeChat: string = new URL("./fake-chat.ts", import.meta.url).href;

export interface RecordingLogger extends Logger {
  /** The messages of warnings and errors. */
  readonly complaints: string[];
}

/** Keeps what is said instead of printing it. */
export function silentLogger(): RecordingLogger {
  const complaints: string[] = [];
  return {
    complaints,
    debug: () => {},
    info: () => {},
    warn: (_, message) => complaints.push(message),
    error: (_, message) => complaints.push(message),
  };
}
