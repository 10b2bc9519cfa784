import { ApiError, hasReason } from '../../api/errors';
import { threeWayPatch } from '../../api/patch/three-way';
import { pathOf } from '../../api/resources';
import type { ApiObject } from '../../api/types';
import { queryOf } from '../../client/rest-client';
import { parseJson, stringifyJson } from '../../lib/json';
import type { CliContext } from '../context';
import { LAST_APPLIED, lastApplied } from '../last-applied';
import { readManifests, type SourcedManifest } from '../manifests';
import { formatViews, listDocument, outputFormat, type OutputFormat } from '../output/format';
import { UsageError } from '../usage-error';
import type { NamedResource } from '../well-known';
import { qualifiedKind } from './get';

export interface ApplyOptions {
  readonly filename: readonly string[];
  readonly recursive?: boolean;
  readonly dryRun?: string | boolean;
  readonly validate?: string;
  readonly output?: string;
}

/** One manifest and where it goes. */
interface Wanted {
  readonly manifest: SourcedManifest;
  readonly info: NamedResource;
  readonly object: ApiObject;
}

type Outcome = 'created' | 'configured' | 'unchanged';

/** What became, or would become, of one manifest. */
interface Result {
  readonly wanted: Wanted;
  readonly outcome: Outcome;
  readonly object: ApiObject;
}

/**
 * Makes the cluster's objects be as the manifests say. Every manifest is tried on the server first:
 * when one is refused, nothing is written.
 */
export const apply = async (context: CliContext, options: ApplyOptions): Promise<void> => {
  const format = formatOf(options.output);
  const isRehearsal = isDryRun(options.dryRun);
  const validation = validationOf(options.validate);
  const manifests = await readManifests(options.filename, {
    isRecursive: options.recursive === true,
    duplicateKeys: DUPLICATE_KEYS[validation] ?? 'error',
    onWarning: (text) => context.terminal.err.write(`Warning: ${text}\n`),
  });
  const wanted = await Promise.all(manifests.map((manifest) => place(context, manifest)));
  const note = isRehearsal ? ' (server dry run)' : '';
  const told = (result: Result): Result => {
    if (format === 'table') context.terminal.out.write(`${lineOf(result)}${note}\n`);
    return result;
  };
  const results: Result[] = [];
  if (isRehearsal) {
    results.push(...(await rehearse(context, wanted, validation)).map(told));
  } else {
    if (wanted.length > 1) await rehearse(context, wanted, validation);
    for (const each of wanted) results.push(told(await put(context, each, validation, false)));
  }
  if (format !== 'table') context.terminal.out.write(formatViews(viewsOf(results), format));
};

const formatOf = (output: string | undefined): OutputFormat => {
  const format = outputFormat(output);
  if (format !== 'wide') return format;
  throw new UsageError('-o takes json, name or yaml here, not "wide"');
};

/** All of kubectl's words; what is tried is always tried on the server. */
const isDryRun = (mode: string | boolean | undefined): boolean => {
  if (mode === undefined || mode === 'none' || mode === false) return false;
  if (mode === true || mode === 'server' || mode === 'client') return true;
  throw new UsageError(`--dry-run takes server or none, not "${mode}"`);
};

const validationOf = (validate = 'strict'): string => {
  const mode = VALIDATION_MODES[validate];
  if (mode !== undefined) return mode;
  throw new UsageError(`--validate takes strict, warn or ignore, not "${validate}"`);
};

const place = async (context: CliContext, manifest: SourcedManifest): Promise<Wanted> => {
  const { object } = manifest;
  const slash = object.apiVersion.indexOf('/');
  const group = slash < 0 ? '' : object.apiVersion.slice(0, slash);
  const info = await context
    .resolve(group === '' ? object.kind : `${object.kind}.${group}`)
    .catch(() => undefined);
  if (info?.kind !== object.kind || versionOf(info) !== object.apiVersion) {
    throw new UsageError(
      `${manifest.source}:${manifest.lineOf()}: no matches for kind "${object.kind}" in version "${object.apiVersion}"`,
    );
  }
  const given = object.metadata.namespace;
  if (
    info.isNamespaced &&
    given !== undefined &&
    context.isNamespaceForced &&
    given !== context.namespace
  ) {
    throw new UsageError(
      `${manifest.source}: the namespace from the provided object "${given}" does not match the namespace "${context.namespace ?? ''}". You must pass '--namespace=${given}' to perform this operation.`,
    );
  }
  const namespace = info.isNamespaced ? (given ?? context.namespace ?? 'default') : undefined;
  const metadata = { ...object.metadata, ...(namespace === undefined ? {} : { namespace }) };
  return { manifest, info, object: { ...object, metadata } };
};

const versionOf = ({ group, version }: NamedResource): string =>
  group === '' ? version : `${group}/${version}`;

/** Puts everything with `dryRun=All`. What waits for a namespace of the same input is let pass. */
const rehearse = async (
  context: CliContext,
  wanted: readonly Wanted[],
  validation: string,
): Promise<readonly Result[]> => {
  const namespaces = new Set(
    wanted.filter(({ object }) => object.kind === 'Namespace').map((w) => w.object.metadata.name),
  );
  const results: Result[] = [];
  for (const each of wanted) {
    try {
      results.push(await put(context, each, validation, true));
    } catch (error) {
      const isExpected =
        hasReason(error, 'NotFound') && namespaces.has(each.object.metadata.namespace ?? '');
      if (!isExpected) throw error;
      results.push({ wanted: each, outcome: 'created', object: each.object });
    }
  }
  return results;
};

/** Creates or patches one object, or finds that it is as it should be. */
const put = (
  context: CliContext,
  wanted: Wanted,
  validation: string,
  dryRun: boolean,
): Promise<Result> =>
  naming(wanted, async () => {
    const query = queryOf({
      fieldManager: 'dhow-apply',
      fieldValidation: validation,
      dryRun: dryRun ? 'All' : undefined,
    });
    const { namespace = '', name } = wanted.object.metadata;
    const live = await context.client
      .get(wanted.info, { namespace, name }, context.signal)
      .catch(absentIfNotFound);
    return live === undefined
      ? create(context, wanted, query)
      : patch(context, wanted, live, query);
  });

const create = async (
  { client, signal }: CliContext,
  wanted: Wanted,
  query: string,
): Promise<Result> => {
  const object = await client.json<ApiObject>({
    method: 'POST',
    path: pathOf(wanted.info, wanted.object.metadata.namespace) + query,
    body: stringifyJson(withRecord(wanted.object)),
    signal,
  });
  return { wanted, outcome: 'created', object };
};

const patch = async (
  { client, signal }: CliContext,
  wanted: Wanted,
  live: ApiObject,
  query: string,
): Promise<Result> => {
  const { group, version, kind } = wanted.info;
  const desired = asJson(withRecord(wanted.object));
  const change = threeWayPatch({ group, version, kind }, recordOf(live), asJson(live), desired);
  if (change === undefined) return { wanted, outcome: 'unchanged', object: live };
  const { namespace, name } = live.metadata;
  const object = await client.json<ApiObject>({
    method: 'PATCH',
    path: pathOf(wanted.info, namespace, name) + query,
    body: stringifyJson(change),
    contentType: 'application/strategic-merge-patch+json',
    signal,
  });
  const outcome = contentOf(object) === contentOf(live) ? 'unchanged' : 'configured';
  return { wanted, outcome, object };
};

/** All of an object but the bookkeeping of the write itself, and what others observe meanwhile. */
const contentOf = (object: ApiObject): string => {
  const { resourceVersion: _version, managedFields: _fields, ...metadata } = object.metadata;
  return stringifyJson({ ...object, metadata, status: undefined });
};

const absentIfNotFound = (error: unknown): undefined => {
  if (hasReason(error, 'NotFound')) return undefined;
  throw error;
};

/** The manifest as it was applied, kept in the object so that the next apply knows what it gave up. */
const withRecord = (object: ApiObject): ApiObject => {
  const { [LAST_APPLIED]: _own, ...annotations } = object.metadata.annotations ?? {};
  const plain = { ...object, metadata: { ...object.metadata, annotations } };
  const record = lastApplied(plain);
  // Too large for an annotation: fields that later leave the manifest then stay in the object.
  if (Buffer.byteLength(record) > MAX_RECORD_BYTES) return object;
  const metadata = { ...object.metadata, annotations: { ...annotations, [LAST_APPLIED]: record } };
  return { ...object, metadata };
};

const recordOf = (live: ApiObject): Json | undefined => {
  const record = live.metadata.annotations?.[LAST_APPLIED];
  return record === undefined ? undefined : (parseJson(record) as Json);
};

type Json = Readonly<Record<string, unknown>>;

const asJson = (object: ApiObject): Json => ({ ...object });

/** Says which manifest, and which of its lines, a refusal is about. */
const naming = async <T>({ manifest }: Wanted, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const field = error.details?.causes?.find((cause) => cause.field !== undefined)?.field;
    const where = `${manifest.source}:${manifest.lineOf(field)}`;
    const isNamed = field === undefined || error.message.includes(field);
    throw new ApiError(error.reason, `${where}: ${isNamed ? '' : `${field}: `}${error.message}`, {
      cause: error,
      ...(error.details === undefined ? {} : { details: error.details }),
    });
  }
};

const lineOf = ({ wanted: { info, object }, outcome }: Result): string =>
  `${qualifiedKind(info)}/${object.metadata.name} ${outcome}`;

const viewsOf = (results: readonly Result[]) => {
  const objects = results.map(({ object }) => object);
  return {
    document: objects.length === 1 ? objects[0] : listDocument(objects),
    names: results.map(
      ({ wanted: { info, object } }) => `${qualifiedKind(info)}/${object.metadata.name}`,
    ),
    table: () => '',
  };
};

const VALIDATION_MODES: Readonly<Record<string, string>> = {
  strict: 'Strict',
  true: 'Strict',
  warn: 'Warn',
  ignore: 'Ignore',
  false: 'Ignore',
};

const DUPLICATE_KEYS: Readonly<Record<string, 'error' | 'warn' | 'ignore'>> = {
  Strict: 'error',
  Warn: 'warn',
  Ignore: 'ignore',
};

const MAX_RECORD_BYTES = 200 * 1024;
