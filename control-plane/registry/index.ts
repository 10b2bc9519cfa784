import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import { BlobStore } from './blob-store';
import { Catalog } from './catalog';
import { RegistryError } from './errors';
import { collectUnused } from './garbage';
import { route } from './routes';

export interface RegistryOptions {
  /** Survives restarts: blobs and the repositories that name them. */
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Who may push and delete. Default: whose client certificate is of `system:masters`. */
  readonly mayWrite?: (request: IncomingMessage) => boolean;
}

/** The cluster's images, by the OCI distribution protocol. Callers are authenticated before. */
export interface Registry extends AsyncDisposable {
  handle(request: IncomingMessage, response: ServerResponse): void;
}

export const createRegistry = async ({
  dir,
  clock,
  log,
  mayWrite = isAdministrator,
}: RegistryOptions): Promise<Registry> => {
  const blobs = await BlobStore.open(dir, clock);
  const catalog = new Catalog(join(dir, 'repositories'));
  await collectUnused(blobs, catalog, clock);
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    try {
      if (!isRead(request) && !mayWrite(request)) {
        throw new RegistryError(403, 'DENIED', 'only administrators may change images');
      }
      await route({ blobs, catalog }, request, response);
    } catch (error) {
      fail(error, request, response, log);
    }
  };
  return {
    handle: (request, response) => void answer(request, response),
    [Symbol.asyncDispose]: () => blobs.close(),
  };
};

const isRead = ({ method }: IncomingMessage): boolean => method === 'GET' || method === 'HEAD';

const isAdministrator = ({ socket }: IncomingMessage): boolean => {
  // A certificate that nobody vouches for names whom it likes.
  if (!('getPeerCertificate' in socket) || !(socket as TLSSocket).authorized) return false;
  const organization: unknown = (socket as TLSSocket).getPeerCertificate().subject.O;
  return ([] as unknown[]).concat(organization).includes('system:masters');
};

const fail = (
  error: unknown,
  request: IncomingMessage,
  response: ServerResponse,
  log: Log,
): void => {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const known = toRegistryError(error);
  if (known.status >= 500) log.warn({ err: error, path: request.url }, 'registry request failed');
  // What is left of a refused body must not be taken for the next request.
  if (!request.complete) response.setHeader('connection', 'close');
  response.writeHead(known.status, { 'content-type': 'application/json' });
  response.end(request.method === 'HEAD' ? undefined : known.toJson());
};

const toRegistryError = (error: unknown): RegistryError => {
  if (error instanceof RegistryError) return error;
  // A path with a broken percent escape.
  if (error instanceof URIError) return new RegistryError(400, 'NAME_INVALID', error.message);
  return new RegistryError(500, 'UNKNOWN', 'internal error');
};
