import { isPodReady } from '../../api/pods';
import { PODS, pathOf } from '../../api/resources';
import { queryOf } from '../../client/rest-client';
import type { CliContext } from '../context';
import { durationSeconds } from '../durations';
import { podName } from '../targets';
import { UsageError } from '../usage-error';

export interface LogsOptions {
  readonly container?: string;
  readonly follow?: boolean;
  readonly previous?: boolean;
  readonly timestamps?: boolean;
  readonly tail?: string;
  readonly since?: string;
}

/** Copies a container's log to stdout; with `--follow` until it ends or the user interrupts. */
export const logs = async (
  context: CliContext,
  pod: string,
  options: LogsOptions,
): Promise<void> => {
  const { client, terminal, signal } = context;
  const tail = options.tail === undefined ? undefined : count(options.tail);
  const since =
    options.since === undefined ? undefined : String(durationSeconds('--since', options.since));
  const name = await podName(context, pod, isPodReady);
  const query = queryOf({
    container: options.container ?? (await defaultContainer(context, name)),
    follow: options.follow === true ? 'true' : undefined,
    previous: options.previous === true ? 'true' : undefined,
    timestamps: options.timestamps === true ? 'true' : undefined,
    tailLines: tail,
    sinceSeconds: since,
  });
  const path = pathOf(PODS, context.namespace ?? 'default', name, 'log') + query;
  const response = await client.http.open({ method: 'GET', path, accept: '*/*', signal });
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

/** The one that the pod's annotation names, or the first; says so when there is a choice. */
export const defaultContainer = async (
  context: CliContext,
  name: string,
  isQuiet = false,
): Promise<string> => {
  const namespace = context.namespace ?? 'default';
  const pod = await context.client.get(PODS, { namespace, name }, context.signal);
  const named = pod.metadata.annotations?.['kubectl.kubernetes.io/default-container'];
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].map(({ name: n }) => n);
  const chosen = named ?? all[0] ?? '';
  if (named === undefined && all.length > 1 && !isQuiet) {
    context.terminal.err.write(
      `Defaulted container "${chosen}" out of: ${all.join(', ')}; choose one with -c\n`,
    );
  }
  return chosen;
};

/** `-1` means all, as it does for kubectl. */
const count = (text: string): string | undefined => {
  if (text === '-1') return undefined;
  if (/^\d{1,9}$/.test(text)) return text;
  throw new UsageError(`--tail: "${text}" is not a number of lines`);
};
