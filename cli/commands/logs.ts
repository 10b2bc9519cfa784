import type { IncomingMessage } from 'node:http';
import { isPodReady } from '../../api/pods';
import { PODS, pathOf } from '../../api/resources';
import type { Pod } from '../../api/types';
import { queryOf } from '../../client/rest-client';
import type { CliContext } from '../context';
import { durationSeconds } from '../durations';
import { podName, podOrWorkload, workloadOf } from '../targets';
import { UsageError } from '../usage-error';
import type { Selection } from './many-logs';

export interface LogsOptions {
  readonly container?: string;
  readonly follow?: boolean;
  readonly previous?: boolean;
  readonly timestamps?: boolean;
  readonly tail?: string;
  readonly since?: string;
  readonly sinceTime?: string;
  readonly limitBytes?: number;
  readonly selector?: string;
  readonly allContainers?: boolean;
  readonly allPods?: boolean;
  readonly prefix?: boolean;
  readonly maxLogRequests?: number;
}

/** Copies logs to stdout; with `--follow` until they end or the user interrupts. */
export const logs = async (
  context: CliContext,
  pod: string | undefined,
  options: LogsOptions,
): Promise<void> => {
  checkOptions(pod, options);
  const { selector, allPods, allContainers, prefix } = options;
  if (selector !== undefined || allPods === true || allContainers === true || prefix === true) {
    const { manyLogs } = await import('./many-logs.js');
    // Of many pods, what each said last.
    const isOpen = selector !== undefined && options.tail === undefined && options.follow !== true;
    const chosen = await choose(context, pod, options);
    return manyLogs(context, chosen, {
      ...options,
      ...(isOpen ? { tail: '10' } : {}),
      prefix: prefix === true || allPods === true,
    });
  }
  return oneLog(context, pod ?? '', options);
};

const checkOptions = (
  pod: string | undefined,
  { selector, container, allContainers, tail, since, sinceTime }: LogsOptions,
): void => {
  if ((pod === undefined) === (selector === undefined)) {
    throw new UsageError(
      pod === undefined
        ? "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'. POD or TYPE/NAME is a required argument for the logs command"
        : 'only a selector (-l) or a POD name is allowed',
    );
  }
  if (container !== undefined && allContainers === true) {
    throw new UsageError('--all-containers=true should not be specified with container name');
  }
  if (since !== undefined && sinceTime !== undefined) {
    throw new UsageError('at most one of --since-time or --since may be used');
  }
  if (tail !== undefined) count(tail);
  if (since !== undefined) durationSeconds('--since', since);
};

const choose = async (
  context: CliContext,
  pod: string | undefined,
  options: LogsOptions,
): Promise<Selection> => {
  const { client, namespace = '', signal } = context;
  if (pod !== undefined && options.allPods !== true) {
    const name = await podName(context, pod, isPodReady);
    const found = await client.get(PODS, { namespace, name }, signal);
    return { labelSelector: '', pods: [found], resourceVersion: '' };
  }
  const labelSelector = options.selector ?? (await selectorOf(context, pod ?? ''));
  const listed = await client.list(PODS, { namespace, labelSelector }, signal);
  if (listed.items.length === 0 && options.follow !== true) {
    context.terminal.err.write(`No resources found in ${namespace} namespace.\n`);
  }
  return { labelSelector, pods: listed.items, resourceVersion: listed.resourceVersion };
};

const selectorOf = async (context: CliContext, workload: string): Promise<string> => {
  const target = await podOrWorkload(context, workload);
  if (typeof target === 'string') throw new UsageError('--all-pods is for workloads: deploy/NAME');
  return (await workloadOf(context, target, workload)).labelSelector;
};

const oneLog = async (context: CliContext, pod: string, options: LogsOptions): Promise<void> => {
  const { terminal, signal } = context;
  const name = await podName(context, pod, isPodReady);
  const container = options.container ?? (await defaultContainer(context, name));
  const response = await openLog(context, name, container, options);
  try {
    for await (const chunk of response) {
      if (!terminal.out.write(chunk)) {
        await new Promise((resolve) => terminal.out.once('drain', resolve));
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
};

/** The bytes of a container's log, as asked for. */
export const openLog = (
  { client, namespace = 'default', signal }: CliContext,
  pod: string,
  container: string,
  options: LogsOptions,
): Promise<IncomingMessage> => {
  const { tail, since, sinceTime, limitBytes } = options;
  const query = queryOf({
    container,
    follow: options.follow === true ? 'true' : undefined,
    previous: options.previous === true ? 'true' : undefined,
    timestamps: options.timestamps === true ? 'true' : undefined,
    tailLines: tail === undefined ? undefined : count(tail),
    sinceSeconds: since === undefined ? undefined : String(durationSeconds('--since', since)),
    sinceTime,
    limitBytes: limitBytes === undefined ? undefined : String(limitBytes),
  });
  const path = pathOf(PODS, namespace, pod, 'log') + query;
  return client.http.open({ method: 'GET', path, accept: '*/*', signal });
};

/** The one that the pod's annotation names, or the first; says so when there is a choice. */
export const defaultContainer = async (
  context: CliContext,
  name: string,
  isQuiet = false,
): Promise<string> => {
  const namespace = context.namespace ?? 'default';
  const pod = await context.client.get(PODS, { namespace, name }, context.signal);
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].map(({ name: n }) => n);
  const chosen = defaultContainerOf(pod);
  if (pod.metadata.annotations?.[DEFAULT_CONTAINER] === undefined && all.length > 1 && !isQuiet) {
    context.terminal.err.write(
      `Defaulted container "${chosen}" out of: ${all.join(', ')}; choose one with -c\n`,
    );
  }
  return chosen;
};

/** As `defaultContainer`, without a word. */
export const defaultContainerOf = ({ metadata, spec }: Pod): string =>
  metadata.annotations?.[DEFAULT_CONTAINER] ?? spec.containers[0]?.name ?? '';

const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container';

/** `-1` means all, as it does for kubectl. */
const count = (text: string): string | undefined => {
  if (text === '-1') return undefined;
  if (/^\d{1,9}$/.test(text)) return text;
  throw new UsageError(`--tail: "${text}" is not a number of lines`);
};
