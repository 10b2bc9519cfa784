import type { Socket } from 'node:net';
import { parseJson, stringifyJson } from '../../lib/json';

/** From the agent. All rows come between `begin` and `end`, later changes one by one. */
export type ToCompanion<Settings> =
  | { readonly op: 'begin'; readonly settings: Settings }
  | {
      readonly op: 'row';
      readonly resource: string;
      readonly key: string;
      /** Absent: it is gone. */
      readonly value?: unknown;
    }
  | { readonly op: 'end' };

/** From the companion, now and then: it lives. */
export interface CompanionState {
  /** At all of its addresses. */
  readonly isServing: boolean;
  /** Why it does not, or not as it should. */
  readonly problem?: string;
  readonly counts: object;
}

export const sendMessage = (
  socket: Socket,
  message: ToCompanion<unknown> | CompanionState,
): boolean => socket.write(`${stringifyJson(message)}\n`);

/** Calls `take` with each message; one that cannot be read, or never ends, ends the connection. */
export const receiveMessages = (
  socket: Socket,
  take: (message: unknown) => void,
  onIdle: () => void = () => undefined,
): void => {
  let parts: Buffer[] = [];
  let byteCount = 0;
  socket.on('data', (chunk: Buffer) => {
    try {
      let from = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
        take(parseJson(Buffer.concat([...parts, chunk.subarray(from, end)])));
        parts = [];
        byteCount = 0;
        from = end + 1;
      }
      parts.push(chunk.subarray(from));
      byteCount += chunk.length - from;
      if (byteCount > MESSAGE_MAX_BYTES) throw new Error('message without end');
      onIdle();
    } catch (error) {
      socket.destroy(error as Error);
    }
  });
};

const NEWLINE = 0x0a;
const MESSAGE_MAX_BYTES = 32 * 1024 * 1024;
