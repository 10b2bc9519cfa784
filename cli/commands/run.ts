import { PODS } from '../../api/resources';
import type { Pod } from '../../api/types';
import { tell, tellingOf, type OutcomeOptions } from '../changing';
import type { CliContext } from '../context';
import { durationMs } from '../durations';
import { UsageError } from '../usage-error';
import { FOR_EVER_MS, waitUntil } from '../waiting';
import { named } from '../well-known';
import { withRecord } from './apply';
import { join, startedPod } from './attach';
import { post } from './create';
import { deleteOne, deleteOptions, waitUntilGone } from './delete';
import { logs } from './logs';
import { podDraft, type PodOptions } from './pod-draft';

export interface RunOptions extends OutcomeOptions, PodOptions {
  readonly attach?: boolean;
  readonly rm?: boolean;
  readonly quiet?: boolean;
  readonly podRunningTimeout?: string;
  readonly gracePeriod?: string;
  readonly force?: boolean;
  readonly wait?: boolean;
  readonly saveConfig?: boolean;
}

/** Makes a pod of one image; attached, resolves with the exit code of its container. */
export const run = async (
  context: CliContext,
  name: string,
  words: readonly string[],
  options: RunOptions,
): Promise<number> => {
  const telling = tellingOf(options);
  const isAttached = options.attach === true || options.stdin === true || options.tty === true;
  refuseContradictions(options, isAttached, telling.dryRun !== 'none');
  const draft = podDraft(name, words, options);
  const namespace = context.namespace ?? 'default';
  const object = context.isNamespaceForced
    ? { ...draft, metadata: { ...draft.metadata, namespace } }
    : draft;
  const wanted = options.saveConfig === true ? withRecord(object) : object;
  const made = await post(context, telling, PODS, namespace, wanted);
  if (!isAttached) {
    tell(context, telling, { info: PODS, object: made, told: 'created' });
    return 0;
  }
  return attached(context, made as Pod, options);
};

const refuseContradictions = (
  { rm, tty, stdin, gracePeriod, force }: RunOptions,
  isAttached: boolean,
  isDryRun: boolean,
): void => {
  if (rm === true && !isAttached) {
    throw new UsageError('--rm should only be used for attached containers');
  }
  if (rm !== true && (gracePeriod !== undefined || force === true)) {
    throw new UsageError('--grace-period and --force are for the removal: they need --rm');
  }
  if (tty === true && stdin !== true) {
    throw new UsageError('-i/--stdin is required for containers with -t/--tty=true');
  }
  if (isAttached && isDryRun) {
    throw new UsageError(
      "--dry-run=[server|client] can't be used with attached containers options (--attach, --stdin, or --tty)",
    );
  }
};

const attached = async (context: CliContext, made: Pod, options: RunOptions): Promise<number> => {
  const { name } = made.metadata;
  try {
    const limitMs = durationMs('--pod-running-timeout', options.podRunningTimeout ?? '1m');
    const pod = await startedPod(context, name, limitMs);
    const container = pod.spec.containers[0]?.name ?? '';
    if (isOver(pod) || options.stdin !== true) {
      // From the start: who attaches sees only what comes after that.
      await logs(context, name, { container, follow: true });
    } else await join(context, pod, container, options);
    return pod.spec.restartPolicy === 'Always' ? 0 : await exitCodeOf(context, name, container);
  } finally {
    if (options.rm === true) await remove(context, name, options);
  }
};

const isOver = ({ status }: Pod): boolean =>
  status.phase === 'Succeeded' || status.phase === 'Failed';

const exitCodeOf = async (
  context: CliContext,
  name: string,
  container: string,
): Promise<number> => {
  const namespace = context.namespace ?? 'default';
  const place = { info: PODS, namespace, name };
  const pod = await waitUntil(context, place, FOR_EVER_MS, (state) =>
    state === undefined ? true : isOver(state),
  );
  const { terminated } =
    pod?.status.containerStatuses?.find((status) => status.name === container)?.state ?? {};
  const code = terminated?.exitCode ?? (pod?.status.phase === 'Succeeded' ? 0 : 1);
  if (code !== 0) {
    const why = terminated?.reason ?? pod?.status.reason ?? 'it is gone';
    context.terminal.err.write(`pod ${namespace}/${name} terminated (${why})\n`);
  }
  return code;
};

/** Also when the user has interrupted us: a pod that is to go must not stay. */
const remove = async (context: CliContext, name: string, options: RunOptions): Promise<void> => {
  const { client } = context;
  const { signal } = new AbortController();
  const doomed = { info: named(PODS), name: { namespace: context.namespace ?? 'default', name } };
  const grace = options.gracePeriod;
  const request = deleteOptions({
    ...(options.force === true ? { force: true } : {}),
    ...(grace === undefined ? {} : { gracePeriod: grace }),
  });
  const telling = { ignoreNotFound: true, isQuiet: options.quiet === true };
  const isDeleted = await deleteOne({ ...context, signal }, doomed, request, telling);
  if (isDeleted && options.wait === true) await waitUntilGone({ client, signal }, doomed);
};
