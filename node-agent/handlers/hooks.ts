import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

import { onAbort } from '../../lib/async/on-abort';
import type { Container } from '../../api/types';
import type { Clock } from '../../lib/clock';
import { describeError } from '../../lib/describe-error';
import { hostPort } from '../../lib/net/ip';
import type { ContainerRuntime } from '../../runtime/container-runtime';
import { secondsToMs } from '../../api/int64';
import { timedController } from '../../lib/async/timed-controller';

export type HookHandler = NonNullable<NonNullable<Container['lifecycle']>['preStop']>;

export interface ActionTarget {
  readonly containerId: string;
  readonly container: Container;
  readonly podIp: string;
}

export interface ActionResult {
  readonly succeeded: boolean;
  /** What the command printed, or what went wrong. */
  readonly output: string;
  /** It could not be tried, and says nothing of the container. */
  readonly isUnknown?: true;
}

const MAX_OUTPUT_BYTES = 10 * 1024;

/** Runs a command in a container and keeps the beginning of what it prints. */
export const runExec = async (
  runtime: ContainerRuntime,
  containerId: string,
  command: readonly string[],
  timeoutMs: number | undefined,
  signal: AbortSignal,
): Promise<ActionResult> => {
  const spec = { args: command, env: [], tty: false, stdin: false };
  const limit = timeoutMs === undefined ? {} : { timeoutMs };
  await using process = await runtime.exec(containerId, { ...spec, ...limit }, signal);
  const stop = () => void process[Symbol.asyncDispose]();
  onAbort(signal, stop);
  let output = '';
  try {
    for await (const chunk of process.output) {
      if (chunk.stream === 'exit') {
        const { exitCode, timedOut } = chunk;
        if (timedOut) return { succeeded: false, output: `command timed out: ${output}` };
        return { succeeded: exitCode === 0, output };
      }
      if (output.length < MAX_OUTPUT_BYTES) output += Buffer.from(chunk.data).toString();
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
  return { succeeded: false, output: 'the command ended without a result' };
};

export interface HttpAction {
  readonly host?: string;
  readonly path?: string;
  readonly port: number | string;
  readonly scheme?: string;
  readonly httpHeaders?: readonly { readonly name: string; readonly value: string }[];
}

/**
 * 200 to 399 is success. Redirects on the same host are followed, and the last answer counts; one that
 * leads elsewhere is success too.
 */
export const runHttpGet = async (
  target: Pick<ActionTarget, 'container' | 'podIp'>,
  action: HttpAction,
  timeoutMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<ActionResult> => {
  using limit = timedController(clock, timeoutMs, signal);
  let url = urlOf(target, action);
  try {
    for (let hops = 0; hops <= REDIRECTS_MAX; hops++) {
      const { code, location } = await get(url, action.httpHeaders ?? [], limit.signal);
      if (code < 200 || code >= 400) return failed(`HTTP probe failed with statuscode: ${code}`);
      const next = code < 300 || location === undefined ? undefined : new URL(location, url);
      if (next?.hostname !== url.hostname) return { succeeded: true, output: '' };
      url = next;
    }
    return failed(`Get "${url.href}": stopped after ${REDIRECTS_MAX} redirects`);
  } catch (error) {
    const why = limit.signal.aborted
      ? 'context deadline exceeded'
      : dialFailure(error, addressOf(url));
    return failed(`Get "${url.href}": ${why}`);
  }
};

const failed = (output: string): ActionResult => ({ succeeded: false, output });

const urlOf = (
  { container, podIp }: Pick<ActionTarget, 'container' | 'podIp'>,
  { host, path = '/', port, scheme = 'HTTP' }: HttpAction,
): URL => {
  const name = host === undefined || host === '' ? podIp : host;
  const authority = hostPort(name, portOf(container, port));
  return new URL(`${scheme.toLowerCase()}://${authority}${path.startsWith('/') ? '' : '/'}${path}`);
};

const addressOf = ({ hostname, port, protocol }: URL): string =>
  `${hostname}:${port === '' ? DEFAULT_PORTS[protocol] : port}`;

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

const get = (
  url: URL,
  httpHeaders: NonNullable<HttpAction['httpHeaders']>,
  signal: AbortSignal,
): Promise<{ readonly code: number; readonly location: string | undefined }> =>
  // eslint-disable-next-line no-restricted-syntax -- `signal` ends it
  new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const headers = Object.fromEntries(httpHeaders.map(({ name, value }) => [name, value]));
    const options = {
      headers: { 'User-Agent': 'dhow-probe/1', Accept: '*/*', Connection: 'close', ...headers },
      // A probe asks whether it answers, not who it is.
      rejectUnauthorized: false,
      signal,
      agent: false as const,
    };
    const request = send(url, options, (response) => {
      const { statusCode: code = 0, headers: answered } = response;
      response.destroy();
      resolve({ code, location: answered.location });
    });
    request.on('error', reject);
    request.end();
  });

const REDIRECTS_MAX = 10;

/** A container has no port of that name. */
export class UnknownPortError extends Error {}

/** A port by number or by the name that the container gives it. @throws UnknownPortError in upstream's words */
export const portOf = (container: Container, port: number | string): number => {
  const number = Number(port);
  if (Number.isInteger(number)) return number;
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  if (named === undefined)
    throw new UnknownPortError(`strconv.Atoi: parsing "${port}": invalid syntax`);
  return named;
};

/** Why `address` was not reached, in the words in which Go tells it, and so upstream's events; else its own. */
export const dialFailure = (error: unknown, address: string): string => {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const why = DIAL_WORDS[code];
  if (why !== undefined) return `dial tcp ${address}: ${why}`;
  const [, host = ''] = /^getaddrinfo \S+ (.+)$/.exec(message) ?? [];
  return host === '' ? describeError(error) : `dial tcp: lookup ${host}: no such host`;
};

const DIAL_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'connect: connection timed out',
};

/** Runs a lifecycle hook to its end or until `signal` aborts. @throws Error when it fails. */
export const runHook = async (
  { runtime, clock }: { readonly runtime: ContainerRuntime; readonly clock: Clock },
  target: ActionTarget,
  { exec, httpGet, sleep }: HookHandler,
  signal: AbortSignal,
): Promise<void> => {
  let result: ActionResult = { succeeded: true, output: '' };
  if (exec !== undefined)
    result = await runExec(runtime, target.containerId, exec.command ?? [], undefined, signal);
  else if (httpGet !== undefined) result = await runHttpGet(target, httpGet, 30_000, clock, signal);
  else if (sleep !== undefined) await clock.sleep(secondsToMs(sleep.seconds), signal);
  // A tcpSocket, which only probes have, or what a newer server knows.
  else throw new Error('invalid handler: it is none of exec, httpGet and sleep');
  if (!result.succeeded) throw new Error(result.output);
};
