import type { IncomingMessage } from 'node:http';
import { ApiError } from '../../../api/errors';

/** The whole body, within the limit. @throws RequestEntityTooLarge, BadRequest when it is cut off */
export const readBody = async (request: IncomingMessage): Promise<Buffer> => {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_BODY_BYTES) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError('BadRequest', 'the request body was cut off', { cause: error });
  }
  return Buffer.concat(chunks);
};

const tooLarge = (): ApiError =>
  new ApiError('RequestEntityTooLarge', `Request entity too large: limit is ${MAX_BODY_BYTES}`);

export const MAX_BODY_BYTES = 3 * 1024 * 1024;
