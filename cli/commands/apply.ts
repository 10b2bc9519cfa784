import { ApiError, hasReason } from '../../api/errors';
import { threeWayPatch } from '../../api/patch/three-way';
import { pathOf } from '../../api/resources';
import type { ApiObject } from '../../api/types';
import { toYaml } from '../../api/yaml';
import { queryOf } from '../../client/rest-client';
import { parseJson, stringifyJson } from '../../lib/json';
import type { CliContext } from '../context';
import type { ApiResourceInfo } from '../discovery';
import { readManifests, type SourcedManifest } from '../manifests';
import { UsageError } from '../usage-error';

export interface ApplyOptions {
  readonly filename: readonly string[];
  readonly dryRun?: string | boolean;
  readonly validate?: string;
  readonly output?: string;
}

/** One manifest and where it goes. */
interface Wanted {
  readonly manifest: SourcedManifest;
  readonly info: ApiResourceInfo;
  readonly object: ApiObject;
}

type Outcome = 'created' | 'configured' | 'unchanged';

/**
 * Makes the cluster's objects be as the manifests say. Every manifest is tried on the server first:
 * when one is refused, nothing is written.
 */
export const apply = async (context: CliContext, options: ApplyOptions): Promise<void> => {
  const manifests = await readManifests(options.filename, {
    duplicateKeys: DUPLICATE_KEYS[validationOf(options.validate)] ?? 'error',
    onWarning: (text) => context.terminal.err.write(`Warning: ${text}\n`),
  });
  const wanted = await Promise.all(manifests.map((manifest) => place(context, manifest)));
  const validation = validationOf(options.validate);
  const isRehearsal = options.dryRun !== undefined && options.dryRun !== false;
  if (wanted.length > 1 || isRehearsal) await rehearse(context, wanted, validation, isRehearsal);
  if (isRehearsal) return;
  const results: ApiObject[] = [];
  for (const each of wanted) {
    const { outcome, object } = await naming(each, () => put(context, each, validation, false));
    results.push(object);
    if (options.output === undefined) report(context, each, outcome);
  }
  if (options.output !== undefined) print(context, results, options.output);
};

const validationOf = (validate = 'strict'): string => {
  const modes: Readonly<Record<string, string>> = {
    strict: 'Strict',
    true: 'Strict',
    warn: 'Warn',
    ignore: 'Ignore',
    false: 'Ignore',
  };
  const mode = modes[validate];
  if (mode === undefined) {
    throw new UsageError(`--validate takes strict, warn or ignore, not "${validate}"`);
  }
  return mode;
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

const versionOf = ({ group, version }: ApiResourceInfo): string =>
  group === '' ? version : `${group}/${version}`;

/** Puts everything with `dryRun=All`. What waits for a namespace of the same input is let pass. */
const rehearse = async (
  context: CliContext,
  wanted: readonly Wanted[],
  validation: string,
  isReported: boolean,
): Promise<void> => {
  const namespaces = new Set(
    wanted.filter(({ object }) => object.kind === 'Namespace').map((w) => w.object.metadata.name),
  );
  for (const each of wanted) {
    const namespace = each.object.metadata.namespace ?? '';
    try {
      const { outcome } = await naming(each, () => put(context, each, validation, true));
      if (isReported) report(context, each, outcome, ' (server dry run)');
    } catch (error) {
      const isExpected = hasReason(error, 'NotFound') && namespaces.has(namespace);
      if (!isExpected) throw error;
    }
  }
};

const put = async (
  context: CliContext,
  { info, object }: Wanted,
  validation: string,
  dryRun: boolean,
): Promise<{ outcome: Outcome; object: ApiObject }> => {
  const { client, signal } = context;
  const { name, namespace = '' } = object.metadata;
  const query = queryOf({
    fieldManager: 'dhow-apply',
    fieldValidation: validation,
    dryRun: dryRun ? 'All' : undefined,
  });
  const desired = withRecord(object);
  const live = await client.get(info, { namespace, name }, signal).catch(absentIfNotFound);
  if (live === undefined) {
    const created = await client.json<ApiObject>({
      method: 'POST',
      path: pathOf(info, namespace) + query,
      body: stringifyJson(desired),
      signal,
    });
    return { outcome: 'created', object: created };
  }
  const kind = { group: info.group, version: info.version, kind: info.kind };
  const patch = threeWayPatch(kind, recordOf(live), asJson(live), asJson(desired));
  if (patch === undefined) return { outcome: 'unchanged', object: live };
  const patched = await client.json<ApiObject>({
    method: 'PATCH',
    path: pathOf(info, namespace, name) + query,
    body: stringifyJson(patch),
    contentType: 'application/strategic-merge-patch+json',
    signal,
  });
  const isChanged = patched.metadata.resourceVersion !== live.metadata.resourceVersion;
  return { outcome: isChanged || dryRun ? 'configured' : 'unchanged', object: patched };
};

const absentIfNotFound = (error: unknown): undefined => {
  if (hasReason(error, 'NotFound')) return undefined;
  throw error;
};

/** The manifest as it was applied, kept in the object so that the next apply knows what it gave up. */
const withRecord = (object: ApiObject): ApiObject => {
  const { [LAST_APPLIED]: _own, ...annotations } = object.metadata.annotations ?? {};
  const plain = { ...object, metadata: { ...object.metadata, annotations } };
  const record = `${stringifyJson(plain)}\n`;
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

const report = (
  { terminal }: CliContext,
  { info, object }: Wanted,
  outcome: Outcome,
  note = '',
): void => {
  const group = info.group === '' ? '' : `.${info.group}`;
  terminal.out.write(
    `${info.kind.toLowerCase()}${group}/${object.metadata.name} ${outcome}${note}\n`,
  );
};

const print = ({ terminal }: CliContext, objects: readonly ApiObject[], output: string): void => {
  const [only] = objects;
  const document =
    objects.length === 1 ? only : { apiVersion: 'v1', items: objects, kind: 'List', metadata: {} };
  if (output === 'json') terminal.out.write(`${stringifyJson(document, 4)}\n`);
  else if (output === 'yaml') terminal.out.write(toYaml(document));
  else throw new UsageError(`-o takes json or yaml here, not "${output}"`);
};

const DUPLICATE_KEYS: Readonly<Record<string, 'error' | 'warn' | 'ignore'>> = {
  Strict: 'error',
  Warn: 'warn',
  Ignore: 'ignore',
};

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const MAX_RECORD_BYTES = 200 * 1024;
