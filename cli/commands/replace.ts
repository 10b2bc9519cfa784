import { pathOf } from '../../api/resources';
import type { ApiObject } from '../../api/types';
import { queryOf } from '../../client/rest-client';
import { stringifyJson } from '../../lib/json';
import { subresourceOf, tell, tellingOf, type OutcomeOptions, type Telling } from '../changing';
import type { CliContext } from '../context';
import { durationMs } from '../durations';
import { LAST_APPLIED } from '../last-applied';
import { UsageError } from '../usage-error';
import { withinTime } from '../waiting';
import { readWanted, validationOf, withRecord, type Wanted } from './apply';
import { deleteOne, deleteOptions, waitUntilGone, type DeleteCommandOptions } from './delete';
import { collectFound, when } from './found';

export interface ReplaceOptions extends OutcomeOptions {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
  readonly validate?: string;
  readonly force?: boolean;
  readonly gracePeriod?: string;
  readonly cascade?: string;
  readonly timeout?: string;
  readonly saveConfig?: boolean;
  readonly subresource?: string;
}

/** Puts what manifests say in the place of what is there; with `--force`, by deleting that first. */
export const replace = async (context: CliContext, options: ReplaceOptions): Promise<void> => {
  const { filename } = options;
  if (filename === undefined) throw new UsageError('must specify -f FILE');
  const telling = tellingOf(options);
  const isForced = options.force === true;
  refuseLostOptions(options, telling);
  const wanted = await readWanted(context, { ...options, filename });
  const { failure } = await collectFound(wanted, (each) =>
    when('replacing', each.manifest.source, async () => {
      const object = isForced
        ? await replaceByForce(context, each, options, telling)
        : await put(context, each, options, telling);
      tell(context, telling, { info: each.info, object, told: 'replaced' });
    }),
  );
  if (failure !== undefined) throw failure;
};

const refuseLostOptions = (
  { force, gracePeriod, timeout, cascade, subresource }: ReplaceOptions,
  { dryRun }: Telling,
): void => {
  if (force === true) {
    if (subresource !== undefined) {
      throw new UsageError('--subresource can not be used with --force');
    }
    if (dryRun === 'server') throw new UsageError('--dry-run=server can not be used with --force');
    return;
  }
  const lost = { '--grace-period': gracePeriod, '--timeout': timeout, '--cascade': cascade };
  for (const [flag, value] of Object.entries(lost)) {
    if (value !== undefined) throw new UsageError(`${flag} must have --force specified`);
  }
};

const put = async (
  context: CliContext,
  { info, object }: Wanted,
  options: ReplaceOptions,
  telling: Telling,
): Promise<ApiObject> => {
  if (telling.dryRun === 'client') return object;
  const { namespace, name } = object.metadata;
  const path = pathOf(info, namespace, name, subresourceOf(options.subresource));
  const body = await versioned(context, path, recorded(object, options));
  return context.client.json<ApiObject>({
    method: 'PUT',
    path: path + queryFor(options, telling),
    body: stringifyJson(body),
    signal: context.signal,
  });
};

/** A manifest without a version takes the place of any: not all kinds may be written without one. */
const versioned = async (
  { client, signal }: CliContext,
  path: string,
  object: ApiObject,
): Promise<ApiObject> => {
  if ((object.metadata.resourceVersion ?? '') !== '') return object;
  const { metadata } = await client.json<ApiObject>({ method: 'GET', path, signal });
  const { resourceVersion = '' } = metadata;
  return { ...object, metadata: { ...object.metadata, resourceVersion } };
};

/** What a later apply compares with is kept true, where it was there or is wanted. */
const recorded = (object: ApiObject, { saveConfig }: ReplaceOptions): ApiObject =>
  saveConfig === true || object.metadata.annotations?.[LAST_APPLIED] !== undefined
    ? withRecord(object)
    : object;

const queryFor = ({ validate }: ReplaceOptions, { fieldManager, dryRun }: Telling): string =>
  queryOf({
    fieldManager,
    fieldValidation: validationOf(validate),
    dryRun: dryRun === 'server' ? 'All' : undefined,
  });

const replaceByForce = async (
  context: CliContext,
  { info, object }: Wanted,
  options: ReplaceOptions,
  telling: Telling,
): Promise<ApiObject> => {
  if (telling.dryRun === 'client') return object;
  const { namespace = '', name } = object.metadata;
  const doomed = { info, name: { namespace, name } };
  const { client, signal } = context;
  const asked: DeleteCommandOptions = { ...options, force: false, ignoreNotFound: true };
  const request = deleteOptions({ ...asked, gracePeriod: options.gracePeriod ?? '1' });
  const limitMs = durationMs('--timeout', options.timeout ?? '0') || DELETION_MS;
  const { output: _printed, ...deleting } = asked;
  if (await deleteOne(context, doomed, request, deleting)) {
    await withinTime(context, limitMs, `${info.plural}/${name}`, (stop) =>
      waitUntilGone({ client, signal: stop }, doomed),
    );
  }
  const { resourceVersion: _old, uid: _other, ...metadata } = recorded(object, options).metadata;
  return client.json<ApiObject>({
    method: 'POST',
    path: pathOf(info, namespace) + queryFor(options, telling),
    body: stringifyJson({ ...recorded(object, options), metadata }),
    signal,
  });
};

const DELETION_MS = 5 * 60 * 1000;
