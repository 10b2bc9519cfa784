import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

import type { Container } from '../../api/types';
import type { Clock } from '../../lib/clock';
import type { ContainerRuntime } from '../../runtime/container-runtime';
import { linkedController } from '../../lib/async/linked-controller';

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
  signal.addEventListener('abort', stop, { once: true });
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

/** 200 to 399 is success. */
export const runHttpGet = async (
  target: Pick<ActionTarget, 'container' | 'podIp'>,
  action: HttpAction,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ActionResult> => {
  using limit = linkedController(signal, AbortSignal.timeout(timeoutMs));
  return await httpGet(target, action, timeoutMs, limit.signal);
};

const httpGet = (
  { container, podIp }: Pick<ActionTarget, 'container' | 'podIp'>,
  { host, path = '/', port, scheme, httpHeaders = [] }: HttpAction,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ActionResult> =>
  new Promise((resolve) => {
    const number = portOf(container, port);
    const headers = Object.fromEntries(httpHeaders.map(({ name, value }) => [name, value]));
    const send = scheme === 'HTTPS' ? httpsRequest : httpRequest;
    const target = host === undefined || host === '' ? podIp : host;
    const options = {
      host: target,
      port: number,
      path: path.startsWith('/') ? path : `/${path}`,
      headers: { 'User-Agent': 'dhow-probe/1', Accept: '*/*', Connection: 'close', ...headers },
      timeout: timeoutMs,
      // A probe asks whether it answers, not who it is.
      rejectUnauthorized: false,
      signal,
      agent: false as const,
    };
    const fail = (why: string) => resolve({ succeeded: false, output: why });
    const request = send(options, (response) => {
      const code = response.statusCode ?? 0;
      response.destroy();
      if (code >= 200 && code < 400) resolve({ succeeded: true, output: '' });
      else fail(`HTTP probe failed with statuscode: ${code}`);
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', (error) => {
      const isTimeout = error.name === 'TimeoutError' || error.name === 'AbortError';
      const why = isTimeout ? 'context deadline exceeded' : error.message;
      fail(`Get "${(scheme ?? 'http').toLowerCase()}://${target}:${number}${path}": ${why}`);
    });
    request.end();
  });

/** A port by number or by the name that the container gives it. */
export const portOf = (container: Container, port: number | string): number => {
  const number = Number(port);
  if (Number.isInteger(number)) return number;
  return container.ports?.find(({ name }) => name === port)?.containerPort ?? 0;
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
  else if (httpGet !== undefined) result = await runHttpGet(target, httpGet, 30_000, signal);
  else if (sleep !== undefined) await clock.sleep(sleep.seconds * 1000, signal);
  if (!result.succeeded) throw new Error(result.output);
};
