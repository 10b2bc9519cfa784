import { hasReason } from '../../api/errors';
import type { ApiObject } from '../../api/types';
import { tell, tellingOf, type ChangeOptions, type Telling } from '../changing';
import type { CliContext } from '../context';
import { durationMs } from '../durations';
import { messageOf } from '../message';
import { select, type Selected } from '../selection';
import { UsageError } from '../usage-error';
import { waitUntil } from '../waiting';
import { collectFound } from './found';

export interface ScaleOptions extends ChangeOptions {
  readonly replicas?: string;
  readonly currentReplicas?: string;
  readonly resourceVersion?: string;
  readonly timeout?: string;
}

type Scaled = ApiObject & {
  readonly spec?: { readonly replicas?: number };
  readonly status?: { readonly replicas?: number };
};

/** Sets how many pods a workload has; with `--timeout`, waits until it has them. */
export const scale = async (
  context: CliContext,
  args: readonly string[],
  options: ScaleOptions,
): Promise<void> => {
  const replicas = replicasOf(options.replicas);
  const expected = options.currentReplicas === undefined ? -1 : Number(options.currentReplicas);
  if (!Number.isInteger(expected) || expected < -1) {
    throw new UsageError('The --current-replicas must specify an integer of -1 or greater');
  }
  const timeoutMs = options.timeout === undefined ? 0 : durationMs('--timeout', options.timeout);
  const telling = tellingOf(options);
  const { found, failure } = await select(context, args, options);
  if (found.length === 0 && failure !== undefined) throw nothingToScale(failure);
  const scaled = await collectFound(found, async (selected) => {
    check(selected.object, expected, options.resourceVersion);
    const object = await setReplicas(context, selected, replicas, telling);
    if (timeoutMs > 0 && telling.dryRun === 'none') {
      await untilScaled(context, selected, replicas, timeoutMs);
    }
    tell(context, telling, { info: selected.info, object, told: 'scaled' });
  });
  if (scaled.failure !== undefined) throw scaled.failure;
  if (failure !== undefined) throw failure;
};

const replicasOf = (text: string | undefined): number => {
  if (text !== undefined && /^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(
    'The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0',
  );
};

const nothingToScale = (failure: Error): Error =>
  hasReason(failure, 'NotFound')
    ? new UsageError(`no objects passed to scale ${failure.message}`)
    : failure;

const check = ({ spec, metadata }: Scaled, expected: number, version: string | undefined): void => {
  const now = spec?.replicas ?? 0;
  if (expected !== -1 && now !== expected) {
    throw new UsageError(`Expected replicas to be ${expected}, was ${now}`);
  }
  const { resourceVersion = '' } = metadata;
  if (version !== undefined && version !== resourceVersion) {
    throw new UsageError(`Expected resource version to be ${version}, was ${resourceVersion}`);
  }
};

const setReplicas = async (
  { client, signal }: CliContext,
  { info, object }: Selected,
  replicas: number,
  { dryRun, fieldManager }: Telling,
): Promise<ApiObject> => {
  const { namespace = '', name } = object.metadata;
  const before = object as Scaled;
  if (dryRun === 'client') return { ...object, spec: { ...before.spec, replicas } } as Scaled;
  const body = { spec: { replicas } };
  const options = { fieldManager, dryRun: dryRun === 'server', subresource: 'scale' } as const;
  try {
    await client.patch(info, { namespace, name }, 'merge', body, options, signal);
  } catch (error) {
    if (!isWithoutScale(error, name)) throw error;
    throw new UsageError(
      `the server could not find the requested resource: ${info.plural} cannot be scaled`,
    );
  }
  return { ...object, spec: { ...before.spec, replicas } } as Scaled;
};

/** A 404 that does not name the object: there is no such subresource. */
const isWithoutScale = (error: unknown, name: string): boolean =>
  hasReason(error, 'NotFound', 'MethodNotAllowed') && !messageOf(error).includes(`"${name}"`);

const untilScaled = async (
  context: CliContext,
  { info, object }: Selected,
  replicas: number,
  timeoutMs: number,
): Promise<void> => {
  const { namespace = '', name } = object.metadata;
  await waitUntil(context, { info, namespace, name }, timeoutMs, (state) => {
    const now = state as Scaled | undefined;
    return now === undefined || (now.status?.replicas ?? 0) === replicas;
  });
};
