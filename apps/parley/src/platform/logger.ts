// JSON logs on standard output, one object a line. Secrets and what people write never reach them.
import type { Logger } from "@parley/node";
import { pino } from "pino";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Fields that are replaced wherever they stand at the top or one level down. */
const SECRET_FIELDS = ["password", "newPassword", "token", "body", "authorization", "passwordHash"];

/** What may wait for a slow reader of the logs; older lines win, newer ones are dropped (P11). */
const PENDING_BYTES_MAX = 4 * 1024 * 1024;

export interface ProcessLogger extends Logger {
  /** The last line of a process that cannot go on; written out before this returns. */
  fatal(fields: object, message: string): void;
  flush(): void;
}

export interface LogDestination {
  write(line: string): void;
  flushSync?(): void;
}

function standardOutput(): LogDestination {
  const destination = pino.destination({ dest: 1, sync: false, maxLength: PENDING_BYTES_MAX });
  // The reader of the logs may go away; the node stays.
  destination.on("error", () => {});
  return destination;
}

/** `base` stands in every line (the node's id). */
export function createLogger(
  level: LogLevel,
  base: object,
  destination: LogDestination = standardOutput(),
): ProcessLogger {
  const logger = pino(
    {
      level,
      base: { ...base, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]),
        censor: "[redacted]",
      },
    },
    destination,
  );
  const flush = () => {
    try {
      destination.flushSync?.();
    } catch {
      // Nobody reads the logs any more; there is nothing left to tell.
    }
  };
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    fatal: (fields, message) => {
      logger.fatal(fields, message);
      flush();
    },
    flush,
  };
}
