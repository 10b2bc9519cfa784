import type { IncomingMessage } from 'node:http';
import { ApiError } from '../../../api/errors';
import type { Clock } from '../../../lib/clock';

/**
 * The whole body, within the limit. `hold` hears of each piece, and may throw to refuse it.
 * @throws RequestEntityTooLarge, BadRequest when it is cut off
 */
export const readBody = async (
  request: IncomingMessage,
  clock: Clock,
  hold: (bytes: number) => void,
): Promise<Buffer> => {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  const callOff = clock.after(BODY_WITHIN_MS, () => request.destroy(lateError()));
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_BODY_BYTES) throw tooLarge();
      hold(chunk.length);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError('BadRequest', 'the request body was cut off', { cause: error });
  } finally {
    callOff();
  }
  return Buffer.concat(chunks);
};

const tooLarge = (): ApiError =>
  new ApiError('RequestEntityTooLarge', `Request entity too large: limit is ${MAX_BODY_BYTES}`);

const lateError = (): Error => new Error(`no whole body came within ${BODY_WITHIN_MS / 1000} s`);

/** A body of 3 MB takes that long on a line of 1 Mbit/s. */
const BODY_WITHIN_MS = 30_000;
export const MAX_BODY_BYTES = 3 * 1024 * 1024;
