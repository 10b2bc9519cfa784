import type { IncomingMessage } from 'node:http';
import { ApiError } from '../../../api/errors';
import type { Clock } from '../../../lib/clock';

/**
 * The whole body, within the limit. `hold` hears of each piece, and may throw to refuse it.
 * It leaves the connection open, whatever happens.
 * @throws RequestEntityTooLarge, BadRequest when it is cut off or late
 */
export const readBody = async (
  request: IncomingMessage,
  clock: Clock,
  hold: (bytes: number) => void,
): Promise<Buffer> => {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks = await chunksOf(request, clock, hold);
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
};

/**
 * By its events: an iterator that is left early would take the connection with it, and the answer that
 * says why.
 */
const chunksOf = (
  request: IncomingMessage,
  clock: Clock,
  hold: (bytes: number) => void,
): Promise<readonly Buffer[]> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const fail = (error: unknown) => {
      settle();
      reject(error instanceof ApiError ? error : cutOff(error));
    };
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      try {
        if (bytes > MAX_BODY_BYTES) throw tooLarge();
        hold(chunk.length);
      } catch (error) {
        fail(error);
        return;
      }
      chunks.push(chunk);
    };
    const end = () => {
      settle();
      resolve(chunks);
    };
    const callOff = clock.after(BODY_WITHIN_MS, () => fail(lateError()));
    const settle = () => {
      callOff();
      request.off('data', take).off('end', end).off('close', fail);
    };
    if (request.destroyed) {
      fail(undefined);
      return;
    }
    // It stays: what goes wrong after the last of the body is nobody's affair.
    request.on('error', fail);
    request.on('data', take).on('end', end).on('close', fail);
  });

const cutOff = (cause: unknown): ApiError =>
  new ApiError('BadRequest', 'the request body was cut off', { cause });

const tooLarge = (): ApiError =>
  new ApiError('RequestEntityTooLarge', `Request entity too large: limit is ${MAX_BODY_BYTES}`);

const lateError = (): ApiError =>
  new ApiError('BadRequest', `no whole body came within ${BODY_WITHIN_MS / 1000} s`);

/** A body of 3 MB takes that long on a line of 1 Mbit/s. */
const BODY_WITHIN_MS = 30_000;
export const MAX_BODY_BYTES = 3 * 1024 * 1024;
