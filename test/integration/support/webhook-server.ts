import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { CertificateAuthority } from '../../../control-plane/pki/certificates';
import { parseJson, stringifyJson } from '../../../lib/json';

// Tests answer what they like, of any shape.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Review = any;

interface Asked {
  readonly path: string;
  readonly body: Review;
  readonly headers: IncomingHttpHeaders;
}

/** A webhook as somebody else writes it: HTTPS, with an authority of its own. */
export interface WebhookServer extends AsyncDisposable {
  /** `https://address:port` */
  readonly url: string;
  readonly port: number;
  /** For a configuration. */
  readonly caBundle: string;
  /** What was asked, the newest last. */
  readonly asked: readonly Asked[];
  connectionCount(): number;
}

export type Answering = (
  path: string,
  body: Review,
  response: ServerResponse,
  request: IncomingMessage,
) => void;

export const startWebhookServer = async (
  answer: Answering,
  names: readonly string[] = ['127.0.0.1'],
  address = '127.0.0.1',
): Promise<WebhookServer> => {
  const authority = await CertificateAuthority.create(Date.now());
  const use = { commonName: names[0] ?? 'localhost', use: 'server', names } as const;
  const { certificate: cert, key } = await authority.issue(use, Date.now());
  const asked: Asked[] = [];
  let connectionCount = 0;
  const server = createServer({ cert, key }, (request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const [path, body] = [request.url ?? '', parseJson(Buffer.concat(chunks)) as Review];
      asked.push({ path, body, headers: request.headers });
      answer(path, body, response, request);
    })().catch(() => response.destroy());
  });
  server.on('secureConnection', () => connectionCount++);
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://${address}:${port}`,
    port,
    caBundle: Buffer.from(authority.pem.certificate).toString('base64'),
    asked,
    connectionCount: () => connectionCount,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

export const sendJson = (response: ServerResponse, body: unknown, status = 200): void => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(stringifyJson(body));
};
