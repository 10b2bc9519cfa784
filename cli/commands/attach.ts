import { containersIn } from '../../api/pod-in';
import { isPodReady } from '../../api/pods';
import { PODS } from '../../api/resources';
import type { Pod } from '../../api/types';
import type { CliContext } from '../context';
import { durationMs } from '../durations';
import { attachToPod, ownStreams, terminalFor } from '../pod-stream';
import { podName } from '../targets';
import { UsageError } from '../usage-error';
import { waitUntil } from '../waiting';
import { defaultContainer } from './logs';

export interface AttachOptions {
  readonly container?: string;
  readonly stdin?: boolean;
  readonly tty?: boolean;
  readonly quiet?: boolean;
  readonly podRunningTimeout?: string;
}

/** Joins the main process of a container; resolves with 0 when that, or the user, ends it. */
export const attach = async (
  context: CliContext,
  pod: string,
  options: AttachOptions,
): Promise<number> => {
  const limitMs = durationMs('--pod-running-timeout', options.podRunningTimeout ?? '1m');
  const name = await podName(context, pod, isPodReady);
  const started = await startedPod(context, name, limitMs);
  const { phase = '' } = started.status;
  if (phase === 'Succeeded' || phase === 'Failed') {
    throw new UsageError(`cannot attach a container in a completed pod; current phase is ${phase}`);
  }
  const container = options.container ?? (await defaultContainer(context, name, options.quiet));
  return join(context, started, container, options);
};

/** The pod, once it runs or has run. @throws UsageError when that takes too long */
export const startedPod = async (
  context: CliContext,
  name: string,
  limitMs: number,
): Promise<Pod> => {
  const place = { info: PODS, namespace: context.namespace ?? 'default', name };
  let wasThere = false;
  const found = await waitUntil(context, place, limitMs, (state) => {
    if (state === undefined && wasThere) throw new UsageError(`pod "${name}" has been deleted`);
    wasThere ||= state !== undefined;
    if (state === undefined) return true;
    return !['', 'Pending'].includes(state.status.phase ?? '');
  });
  // Asking by name words the refusal.
  return found ?? context.client.get(PODS, place, context.signal);
};

/** Joins a container of a pod that runs. */
export const join = (
  context: CliContext,
  pod: Pod,
  container: string,
  { stdin, tty, quiet }: Pick<AttachOptions, 'stdin' | 'tty' | 'quiet'>,
): Promise<number> => {
  const own = containersIn(pod.spec).find(([{ name }]) => name === container)?.[0];
  if (own === undefined) {
    throw new UsageError(`container ${container} not found in pod ${pod.metadata.name}`);
  }
  const wantsTty = tty === true && own.tty === true;
  if (tty === true && !wantsTty) {
    context.terminal.err.write(
      `error: Unable to use a TTY - container ${container} did not allocate one\n`,
    );
  }
  const isTty = terminalFor(context, wantsTty);
  if (stdin === true && isTty && quiet !== true) {
    context.terminal.err.write("If you don't see a command prompt, try pressing enter.\n");
  }
  const streams = ownStreams(context, { hasStdin: stdin === true, isTty });
  return attachToPod(context, { pod: pod.metadata.name, container }, streams);
};
