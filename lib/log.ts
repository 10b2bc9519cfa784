import pino from 'pino';
import { describeError } from './describe-error';

export { describeError } from './describe-error';

export type LogFields = Readonly<Record<string, unknown>>;

/** Structured log: fields first, then a short constant message. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: LogFields): Log;
}

/** JSON lines on stderr. `level` is one of pino's level names. */
export const createLog = (level = 'info', fields: LogFields = {}): Log =>
  pino(
    {
      level,
      base: null,
      serializers: { err: describeError },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    pino.destination({ fd: 2, sync: true }),
  ).child(fields);

/** Discards everything. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};
