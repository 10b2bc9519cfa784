import { get } from 'node:https';
import { onAbort } from '../../../lib/async/on-abort';
import { timedController } from '../../../lib/async/timed-controller';
import type { Clock } from '../../../lib/clock';
import type { FetchDocument } from './oidc';

/** Over HTTPS, from a server that `ca` vouches for (PEM; default: who is trusted in general). */
export const httpsDocuments =
  (clock: Clock, ca?: string): FetchDocument =>
  async (url, signal) => {
    using limit = timedController(clock, DOCUMENT_MS, signal);
    return await new Promise<Uint8Array>((resolve, reject) => {
      const request = get(
        url,
        { ...(ca === undefined ? {} : { ca }), agent: false },
        (response) => {
          const chunks: Buffer[] = [];
          let bytes = 0;
          if (response.statusCode !== 200)
            request.destroy(new Error(`${url}: unexpected status ${response.statusCode}`));
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
            chunks.push(chunk);
            if (bytes > DOCUMENT_BYTES_MAX) request.destroy(new Error(`${url} is too large`));
          });
          response.on('end', () => resolve(Buffer.concat(chunks)));
          response.on('error', reject);
        },
      );
      request.on('error', reject);
      onAbort(limit.signal, () => request.destroy(new Error(`${url} did not answer in time`)));
    });
  };

const DOCUMENT_MS = 10_000;
const DOCUMENT_BYTES_MAX = 1024 * 1024;
