import type { IncomingMessage, ServerResponse } from 'node:http';
import { responseHeaders } from './headers';

/** What is answered instead of an endpoint. */
export interface Refusal {
  readonly status: keyof typeof TEXTS;
  readonly location?: string;
}

/** Says it all, and reads no body for it. */
export const refuse = (
  inbound: IncomingMessage,
  answer: ServerResponse,
  { status, location }: Refusal,
): void => {
  if (answer.destroyed) return;
  if (status === 400 || hasBody(inbound)) answer.shouldKeepAlive = false;
  answer
    .writeHead(status, {
      'Content-Type': 'text/plain; charset=utf-8',
      ...(location === undefined ? {} : { Location: location }),
    })
    .end(`${TEXTS[status]}\n`);
};

/** The head of an endpoint's answer. @throws when it cannot be passed on */
export const writeHead = (answer: ServerResponse, response: IncomingMessage): void => {
  const { statusCode = 502, statusMessage = '', rawHeaders } = response;
  answer.writeHead(statusCode, statusMessage, responseHeaders(rawHeaders));
};

/**
 * The body as it comes, no faster than it is taken; an answer that breaks off breaks off here too. The head goes with
 * what has come of the body, in one write: by itself only when nothing has.
 */
export const passOn = (response: IncomingMessage, answer: ServerResponse): void => {
  let isWritten = false;
  response.on('data', (chunk: Buffer) => {
    isWritten = true;
    if (!answer.write(chunk)) response.pause();
  });
  answer.on('drain', () => response.resume());
  response.once('end', () => {
    isWritten = true;
    answer.end();
  });
  response.once('close', () => {
    if (!response.complete) answer.destroy();
  });
  // After the turn in which the stream begins to flow.
  process.nextTick(() => {
    if (!isWritten) answer.flushHeaders();
  });
};

export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** Status and text, as widely known proxies have them. */
const TEXTS = {
  308: '308 permanent redirect',
  400: '400 bad request',
  404: '404 page not found',
  502: 'bad gateway',
  503: 'no available server',
  504: 'gateway timeout',
} as const;
