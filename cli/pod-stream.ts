import { spawnSync } from 'node:child_process';
import { request } from 'node:https';
import type { Duplex, Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { WebSocket } from 'ws';
import { ApiError, type Status } from '../api/errors';
import { PODS, pathOf } from '../api/resources';
import { onAbort } from '../lib/async/on-abort';
import { parseJson, stringifyJson } from '../lib/json';
import type { CliContext } from './context';
import { codeOfStop } from './program';

/** A stream to a pod: which of its subresources, and what to ask of it. */
interface PodStream {
  readonly pod: string;
  readonly subresource: 'exec' | 'attach';
  readonly query: URLSearchParams;
}

/** Where a process in a container reads from and writes to. */
export interface Streams {
  readonly stdin?: Readable;
  readonly out: Writable;
  readonly err: Writable;
  /** Our own terminal is the process's. */
  readonly isTty?: boolean;
}

// Channels of v5.channel.k8s.io; the first byte of every message. Source: KEP-4006.
const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
const CLOSE = 255;

/** Opens a WebSocket to a pod. @throws ApiError as the server refuses it */
const openPodStream = (
  { client, namespace = 'default' }: Pick<CliContext, 'client' | 'namespace'>,
  { pod, subresource, query }: PodStream,
): Promise<WebSocket> => {
  const { url, tls, headers } = client.http.credentials;
  const path = pathOf(PODS, namespace, pod, subresource);
  const target = new URL(`${path}?${query.toString()}`, url);
  target.protocol = 'wss:';
  const socket = new WebSocket(target, PROTOCOL, { ...tls, headers, perMessageDeflate: false });
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(socket));
    socket.once('error', reject);
    socket.once('unexpected-response', (_request, response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        reject(refusal(Buffer.concat(chunks).toString(), response.statusCode)),
      );
    });
  });
};

/** A connection that carries streams of SPDY/3.1 to ports of a pod. @throws ApiError */
export const openPortConnection = (
  { client, namespace = 'default' }: Pick<CliContext, 'client' | 'namespace'>,
  pod: string,
): Promise<Duplex> => {
  const { url, tls, headers } = client.http.credentials;
  const asked = request(new URL(pathOf(PODS, namespace, pod, 'portforward'), url), {
    ...tls,
    method: 'POST',
    headers: {
      ...headers,
      connection: 'Upgrade',
      upgrade: 'SPDY/3.1',
      'x-stream-protocol-version': 'portforward.k8s.io',
    },
  });
  return new Promise((resolve, reject) => {
    asked.once('upgrade', (_response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    asked.once('response', (response) => {
      text(response).then((body) => reject(refusal(body, response.statusCode)), reject);
    });
    asked.once('error', reject);
    asked.end();
  });
};

const refusal = (body: string, code = 500): ApiError => {
  try {
    return ApiError.fromStatus(parseJson(body) as Partial<Status>, code);
  } catch {
    return ApiError.fromStatus({ message: body.slice(0, 1024) }, code);
  }
};

/** Runs a command in a container, its output and input through `streams`; resolves with its exit code. */
export const runInPod = async (
  context: CliContext,
  place: { readonly pod: string; readonly container: string; readonly command: readonly string[] },
  streams: Streams,
): Promise<number> => {
  const { pod, container, command } = place;
  const query = new URLSearchParams(command.map((word): [string, string] => ['command', word]));
  const socket = await openPodStream(context, {
    ...{ pod, subresource: 'exec', query: withStreams(query, container, streams) },
  });
  return converse(context, socket, streams);
};

/** As `runInPod`, with the main process of a container. */
export const attachToPod = async (
  context: CliContext,
  { pod, container }: { readonly pod: string; readonly container: string },
  streams: Streams,
): Promise<number> => {
  const query = withStreams(new URLSearchParams(), container, streams);
  const asked = { pod, subresource: 'attach', query } as const;
  return converse(context, await openPodStream(context, asked), streams);
};

const withStreams = (
  query: URLSearchParams,
  container: string,
  { stdin, isTty }: Streams,
): URLSearchParams => {
  query.set('container', container);
  query.set('stdout', 'true');
  if (stdin !== undefined) query.set('stdin', 'true');
  query.set(isTty === true ? 'tty' : 'stderr', 'true');
  return query;
};

const converse = async (
  context: CliContext,
  socket: WebSocket,
  streams: Streams,
): Promise<number> => {
  const { stdin, isTty = false } = streams;
  const send = (channel: number, data: Uint8Array) =>
    socket.send(Buffer.concat([Buffer.of(channel), data]));
  const forward = (data: Buffer) => {
    // A slow container must not fill our memory with what is typed or piped.
    socket.send(Buffer.concat([Buffer.of(STDIN), data]), () => {
      if (socket.bufferedAmount <= BUFFERED_BYTES_MAX) stdin?.resume();
    });
    if (socket.bufferedAmount > BUFFERED_BYTES_MAX) stdin?.pause();
  };
  const sendSize = () =>
    send(
      RESIZE,
      Buffer.from(stringifyJson({ Width: process.stdout.columns, Height: process.stdout.rows })),
    );
  const sendEnd = () => socket.send(Buffer.of(CLOSE, STDIN));
  stdin?.on('data', forward);
  stdin?.once('end', sendEnd);
  if (isTty) {
    makeRaw();
    sendSize();
    process.stdout.on('resize', sendSize);
  }
  try {
    return await outcomeOf(context, socket, streams);
  } finally {
    if (isTty) process.stdin.setRawMode(false);
    process.stdout.off('resize', sendSize);
    stdin?.off('data', forward);
    stdin?.off('end', sendEnd);
    // Reading on would keep the program alive.
    stdin?.pause();
    stdin?.destroy();
    socket.close();
  }
};

/**
 * Node's raw mode goes on turning line feeds into two characters; the terminal in the container has
 * done that already, and full-screen programs mean a line feed alone.
 */
const makeRaw = (): void => {
  process.stdin.setRawMode(true);
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
};

const outcomeOf = (
  { terminal, signal }: CliContext,
  socket: WebSocket,
  { stdin, out, err }: Streams,
): Promise<number> =>
  new Promise((resolve, reject) => {
    let status: Status | undefined;
    onAbort(signal, () => resolve(codeOfStop(signal.reason)));
    // Whoever writes or reads on our side may end before the process does.
    const end = (error: Error) => {
      socket.terminate();
      reject(error);
    };
    if (out !== terminal.out) out.once('error', end);
    stdin?.once('error', end);
    socket.on('message', (message: Buffer) => {
      const data = message.subarray(1);
      if (message[0] === STDOUT) writeGently(out, data, socket);
      else if (message[0] === STDERR) writeGently(err, data, socket);
      else if (message[0] === ERROR) status = parseJson(data.toString()) as Status;
    });
    socket.once('error', reject);
    socket.once('close', () => {
      if (status === undefined) {
        reject(
          new ApiError('ServiceUnavailable', 'the connection was lost before the command ended'),
        );
      } else if (status.status === 'Success') resolve(0);
      else {
        const code = status.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message;
        if (code === undefined) reject(ApiError.fromStatus(status));
        else resolve(Number(code));
      }
    });
  });

/** What our reader does not take yet stays in the container. */
const writeGently = (out: Writable, data: Uint8Array, socket: WebSocket): void => {
  if (out.write(data)) return;
  socket.pause();
  out.once('drain', () => socket.resume());
};

/** Of our own terminal, if that is one and the process is to have it. */
export const ownStreams = (
  { terminal }: Pick<CliContext, 'terminal'>,
  { hasStdin, isTty }: { readonly hasStdin: boolean; readonly isTty: boolean },
): Streams => ({
  out: terminal.out,
  err: terminal.err,
  isTty,
  ...(hasStdin ? { stdin: process.stdin } : {}),
});

/** May the process have our terminal? Says so where it was to, and there is none. */
export const terminalFor = (
  { terminal }: Pick<CliContext, 'terminal'>,
  wantsTty: boolean,
): boolean => {
  if (wantsTty && !process.stdin.isTTY) {
    terminal.err.write('Unable to use a TTY - input is not a terminal\n');
  }
  return wantsTty && process.stdin.isTTY;
};

const PROTOCOL = 'v5.channel.k8s.io';
const BUFFERED_BYTES_MAX = 1024 * 1024;
