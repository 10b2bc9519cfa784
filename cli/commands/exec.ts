import { spawnSync } from 'node:child_process';
import type { Writable } from 'node:stream';
import { WebSocket } from 'ws';
import { onAbort } from '../../lib/async/on-abort';
import { systemClock } from '../../lib/clock';
import { ApiError, type Status } from '../../api/errors';
import { isPodReady } from '../../api/pods';
import { PODS, pathOf } from '../../api/resources';
import type { CliContext } from '../context';
import { codeOfStop } from '../program';
import { podName } from '../targets';
import { UsageError } from '../usage-error';
import { defaultContainer } from './logs';
import { parseJson, stringifyJson } from '../../lib/json';

export interface ExecOptions {
  readonly container?: string;
  readonly stdin?: boolean;
  readonly tty?: boolean;
}

// Channels of v5.channel.k8s.io; the first byte of every message. Source: KEP-4006.
const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
const CLOSE = 255;

/** Runs a command in a container; resolves with its exit code. */
export const exec = async (
  context: CliContext,
  pod: string,
  command: readonly string[],
  options: ExecOptions,
): Promise<number> => {
  if (command.length === 0) throw new UsageError('you must specify a command to run after --');
  if (!process.argv.includes('--')) {
    throw new UsageError(`put -- before the command: dhow exec ${pod} -- ${command.join(' ')}`);
  }
  const name = await podName(context, pod, isPodReady);
  const container = options.container ?? (await defaultContainer(context, name));
  const wantsTty = options.tty === true;
  const isTty = wantsTty && process.stdin.isTTY;
  if (wantsTty && !isTty) {
    context.terminal.err.write('Unable to use a TTY - input is not a terminal\n');
  }
  const socket = await open(context, name, container, command, options.stdin === true, isTty);
  return converse(context, socket, options.stdin === true, isTty);
};

const open = (
  context: CliContext,
  name: string,
  container: string,
  command: readonly string[],
  hasStdin: boolean,
  isTty: boolean,
): Promise<WebSocket> => {
  const { url, tls, headers } = context.client.http.credentials;
  const query = new URLSearchParams(command.map((word): [string, string] => ['command', word]));
  query.set('container', container);
  query.set('stdout', 'true');
  if (hasStdin) query.set('stdin', 'true');
  if (isTty) query.set('tty', 'true');
  else query.set('stderr', 'true');
  const path = pathOf(PODS, context.namespace ?? 'default', name, 'exec');
  const target = new URL(`${path}?${query.toString()}`, url);
  target.protocol = 'wss:';
  const socket = new WebSocket(target, 'v5.channel.k8s.io', {
    ...tls,
    headers,
    perMessageDeflate: false,
  });
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

const refusal = (body: string, code = 500): ApiError => {
  try {
    return ApiError.fromStatus(parseJson(body) as Partial<Status>, code);
  } catch {
    return ApiError.fromStatus({ message: body.slice(0, 1024) }, code);
  }
};

const converse = async (
  context: CliContext,
  socket: WebSocket,
  hasStdin: boolean,
  isTty: boolean,
): Promise<number> => {
  const send = (channel: number, data: Uint8Array) =>
    socket.send(Buffer.concat([Buffer.of(channel), data]));
  const forward = (data: Buffer) => {
    send(STDIN, data);
    // A slow container must not fill our memory with what is typed or piped.
    if (socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      process.stdin.pause();
      void systemClock.sleep(20).then(() => process.stdin.resume());
    }
  };
  const sendSize = () =>
    send(
      RESIZE,
      Buffer.from(stringifyJson({ Width: process.stdout.columns, Height: process.stdout.rows })),
    );
  if (hasStdin) {
    process.stdin.on('data', forward);
    process.stdin.once('end', () => socket.send(Buffer.of(CLOSE, STDIN)));
  }
  if (isTty) {
    makeRaw();
    sendSize();
    process.stdout.on('resize', sendSize);
  }
  try {
    return await outcomeOf(context, socket);
  } finally {
    if (isTty) process.stdin.setRawMode(false);
    process.stdout.off('resize', sendSize);
    process.stdin.off('data', forward);
    // Reading on would keep the program alive.
    process.stdin.pause();
    process.stdin.destroy();
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

const outcomeOf = ({ terminal, signal }: CliContext, socket: WebSocket): Promise<number> =>
  new Promise((resolve, reject) => {
    let status: Status | undefined;
    onAbort(signal, () => resolve(codeOfStop(signal.reason)));
    socket.on('message', (message: Buffer) => {
      const data = message.subarray(1);
      if (message[0] === STDOUT) writeGently(terminal.out, data, socket);
      else if (message[0] === STDERR) writeGently(terminal.err, data, socket);
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
        else {
          terminal.err.write(`command terminated with exit code ${code}\n`);
          resolve(Number(code));
        }
      }
    });
  });

/** What our reader does not take yet stays in the container. */
const writeGently = (out: Writable, data: Uint8Array, socket: WebSocket): void => {
  if (out.write(data)) return;
  socket.pause();
  out.once('drain', () => socket.resume());
};

const MAX_BUFFERED_BYTES = 1024 * 1024;
