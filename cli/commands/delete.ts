import { systemClock } from '../../lib/clock';
import { hasReason, qualifiedResource } from '../../api/errors';
import { pathOf } from '../../api/resources';
import type { ObjectName } from '../../api/types';
import type { RestDeleteOptions } from '../../client/rest-client';
import { readManifests } from '../manifests';
import type { CliContext } from '../context';
import { durationMs } from '../durations';
import { DRY_RUN_NOTES, dryRunOf } from '../dry-run';
import { kindName } from '../selection';
import { parseTargets } from '../targets';
import { UsageError } from '../usage-error';
import { FOR_EVER_MS, withinTime } from '../waiting';
import type { NamedResource } from '../well-known';
import { collectFound } from './found';
import { qualifiedKind } from './get';

export interface DeleteCommandOptions {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
  readonly selector?: string;
  readonly fieldSelector?: string;
  readonly all?: boolean;
  readonly force?: boolean;
  readonly now?: boolean;
  readonly gracePeriod?: string;
  readonly cascade?: string;
  readonly ignoreNotFound?: boolean;
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly output?: string;
  readonly dryRun?: string | boolean;
}

interface Doomed {
  readonly info: NamedResource;
  readonly name: ObjectName;
}

/** Deletes, then waits until the objects are gone. */
export const deleteObjects = async (
  context: CliContext,
  args: readonly string[],
  options: DeleteCommandOptions,
): Promise<void> => {
  if (options.output !== undefined && options.output !== 'name') {
    throw new UsageError(`-o takes name here, not "${options.output}"`);
  }
  checkSelection(options);
  const request = deleteOptions(options);
  if (request.gracePeriodSeconds === 0) context.terminal.err.write(`Warning: ${AT_ONCE}\n`);
  const givenMs = durationMs('--timeout', options.timeout ?? '0');
  const limitMs = givenMs > 0 ? Math.min(givenMs, FOR_EVER_MS) : FOR_EVER_MS;
  const isTried = dryRunOf(options.dryRun) !== 'none';
  const doomed =
    options.filename === undefined
      ? await fromArguments(context, args, options)
      : await fromFiles(context, options.filename, options.recursive === true);
  const { found, failure } = await collectFound(doomed, (each) =>
    deleteOne(context, each, request, options),
  );
  if (options.wait !== false && !isTried) {
    const deleted = found.flatMap(([each, isDeleted]) => (isDeleted ? [each] : []));
    const kept = await Promise.all(deleted.map((each) => lingering(context, each, limitMs)));
    const failures = [failure, ...kept].filter((each) => each !== undefined);
    if (failures.length > 1) throw new AggregateError(failures);
    if (failures[0] !== undefined) throw failures[0];
  }
  if (failure !== undefined) throw failure;
};

/** Undefined once it is gone; else why that is not known. */
const lingering = async (
  context: CliContext,
  doomed: Doomed,
  limitMs: number,
): Promise<Error | undefined> => {
  const { plural, group } = doomed.info;
  const what = `${qualifiedResource(plural, group)}/${doomed.name.name}`;
  const { failure } = await collectFound([doomed], () =>
    withinTime(context, limitMs, what, (signal) =>
      waitUntilGone({ client: context.client, signal }, doomed),
    ),
  );
  return failure;
};

const fromFiles = async (
  context: CliContext,
  files: readonly string[],
  isRecursive: boolean,
): Promise<Doomed[]> => {
  const manifests = await readManifests(files, { isRecursive });
  // The reverse of the order of creation: what a file needs first goes last.
  return Promise.all(
    manifests.reverse().map(async ({ object }) => {
      const info = await context.resolve(kindName(object.apiVersion, object.kind));
      const namespace = object.metadata.namespace ?? context.namespace ?? 'default';
      return {
        info,
        name: { namespace: info.isNamespaced ? namespace : '', name: object.metadata.name },
      };
    }),
  );
};

const fromArguments = async (
  context: CliContext,
  args: readonly string[],
  options: DeleteCommandOptions,
): Promise<Doomed[]> => {
  const targets = await parseTargets(context, args);
  const named = targets.flatMap(({ info, name }) =>
    name === undefined ? [] : [{ info, name: { namespace: namespaceFor(context, info), name } }],
  );
  if (named.length > 0) return named;
  const { all, selector, fieldSelector } = options;
  if (all !== true && selector === undefined && fieldSelector === undefined) {
    throw new UsageError('resource(s) were provided, but no name was specified');
  }
  const lists = await Promise.all(
    targets.map(async ({ info }) => {
      const { items } = await context.client.list(
        info,
        {
          namespace: context.namespace ?? '',
          ...(selector === undefined ? {} : { labelSelector: selector }),
          ...(fieldSelector === undefined ? {} : { fieldSelector }),
        },
        context.signal,
      );
      return items.map(({ metadata }) => ({
        info,
        name: { namespace: metadata.namespace ?? '', name: metadata.name },
      }));
    }),
  );
  const found = lists.flat();
  if (found.length === 0) context.terminal.out.write('No resources found\n');
  return found;
};

const namespaceFor = ({ namespace }: CliContext, info: NamedResource): string =>
  info.isNamespaced ? (namespace ?? 'default') : '';

/** What would delete other objects than its user means. @throws UsageError */
const checkSelection = ({ all, selector, fieldSelector }: DeleteCommandOptions): void => {
  const both = selector !== undefined ? '--selector' : fieldSelector && '--field-selector';
  if (all === true && both !== undefined && both !== '')
    throw new UsageError(`cannot set --all and ${both} at the same time`);
};

/** In upstream's words. */
const AT_ONCE =
  'Immediate deletion does not wait for confirmation that the running resource has been terminated. ' +
  'The resource may continue to run on the cluster indefinitely.';

export const deleteOptions = (options: DeleteCommandOptions): RestDeleteOptions => {
  const grace = graceSeconds(options);
  return {
    propagationPolicy: policyOf(options.cascade),
    ...(dryRunOf(options.dryRun) === 'server' ? { dryRun: ['All'] } : {}),
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
  };
};

/**
 * Pure: none without `--force` is a second, so that nobody loses data by leaving it out. Source: kubectl's delete.
 * @throws UsageError
 */
export const graceSeconds = ({
  gracePeriod,
  now,
  force,
}: Pick<DeleteCommandOptions, 'gracePeriod' | 'now' | 'force'>): number | undefined => {
  if (gracePeriod !== undefined && !/^(-1|\d{1,9})$/.test(gracePeriod))
    throw new UsageError(`--grace-period: "${gracePeriod}" is not a number of seconds`);
  const given = gracePeriod === undefined || gracePeriod === '-1' ? undefined : Number(gracePeriod);
  if (now === true && given !== undefined)
    throw new UsageError('--now and --grace-period cannot be specified together');
  const seconds = now === true ? 1 : given;
  if (force !== true) return seconds === 0 ? 1 : seconds;
  if (seconds !== undefined && seconds > 0)
    throw new UsageError('--force and --grace-period greater than 0 cannot be specified together');
  return 0;
};

const policyOf = (cascade = 'background'): 'Background' | 'Foreground' | 'Orphan' => {
  switch (cascade) {
    case 'background':
      return 'Background';
    case 'foreground':
      return 'Foreground';
    case 'orphan':
      return 'Orphan';
    default:
      throw new UsageError(`--cascade takes background, foreground or orphan, not "${cascade}"`);
  }
};

/** Resolves with whether there was one to delete. */
export const deleteOne = async (
  { client, terminal, signal }: CliContext,
  { info, name }: Doomed,
  request: RestDeleteOptions,
  {
    ignoreNotFound,
    output,
    dryRun: mode,
    isQuiet = false,
  }: DeleteCommandOptions & { readonly isQuiet?: boolean },
): Promise<boolean> => {
  const dryRun = dryRunOf(mode);
  try {
    if (dryRun === 'client') await client.get(info, name, signal);
    else await client.delete(info, name, request, signal);
  } catch (error) {
    if (ignoreNotFound === true && hasReason(error, 'NotFound')) return false;
    throw error;
  }
  if (isQuiet) return true;
  const kind = qualifiedKind(info);
  const where = info.isNamespaced ? ` from ${name.namespace} namespace` : '';
  const done = request.gracePeriodSeconds === 0 ? 'force deleted' : 'deleted';
  terminal.out.write(
    output === 'name'
      ? `${kind}/${name.name}\n`
      : `${kind} "${name.name}" ${done}${where}${DRY_RUN_NOTES[dryRun]}\n`,
  );
  return true;
};

/** Polls gently: a delete is over within the pod's grace period. */
export const waitUntilGone = async (
  { client, signal }: Pick<CliContext, 'client' | 'signal'>,
  { info, name }: Doomed,
): Promise<void> => {
  const path = pathOf(info, name.namespace, name.name);
  let uid: string | undefined;
  for (let delayMs = 50; !signal.aborted; delayMs = Math.min(delayMs * 1.5, 1000)) {
    try {
      const found = await client.json<{ metadata: { uid?: string } }>({
        method: 'GET',
        path,
        signal,
      });
      uid ??= found.metadata.uid;
      if (found.metadata.uid !== uid) return;
    } catch (error) {
      if (hasReason(error, 'NotFound')) return;
      throw error;
    }
    await systemClock.sleep(delayMs, signal);
  }
};
