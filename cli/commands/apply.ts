import { ApiError, hasReason } from '../../api/errors';
import { threeWayPatch } from '../../api/patch/three-way';
import { isOfKind } from '../../api/owners';
import { pathOf, PODS } from '../../api/resources';
import { matchesRequirements, parseLabelSelector } from '../../api/selectors';
import type { ApiObject } from '../../api/types';
import { queryOf } from '../../client/rest-client';
import { parseJson, stringifyJson } from '../../lib/json';
import type { CliContext } from '../context';
import { DRY_RUN_NOTES, dryRunOf, type DryRun } from '../dry-run';
import { LAST_APPLIED, lastApplied } from '../last-applied';
import { readManifests, type SourcedManifest } from '../manifests';
import { formatViews, listDocument, outputFormat, type OutputFormat } from '../output/format';
import { unservedKind } from '../not-served';
import { contentOf, objectDiff } from '../output/object-diff';
import { printable } from '../output/terminal';
import { kindName } from '../selection';
import { UsageError } from '../usage-error';
import type { NamedResource } from '../well-known';
import { fitOf } from './fit';
import { collectFound } from './found';
import { qualifiedKind, withoutManagedFields } from './get';
import { checkPrune, prune, type PruneOptions } from './prune';

export interface ApplyOptions extends PruneOptions {
  readonly filename: readonly string[];
  readonly kustomize?: string;
  readonly recursive?: boolean;
  readonly dryRun?: string | boolean;
  readonly validate?: string;
  readonly output?: string;
  readonly serverSide?: boolean;
  readonly forceConflicts?: boolean;
  readonly fieldManager?: string;
}

/** One manifest and where it goes. */
export interface Wanted {
  readonly manifest: SourcedManifest;
  readonly info: NamedResource;
  readonly object: ApiObject;
}

type Outcome = 'created' | 'configured' | 'unchanged' | 'serverside-applied';

/** What became, or would become, of one manifest. */
export interface Result {
  readonly wanted: Wanted;
  readonly outcome: Outcome;
  readonly object: ApiObject;
  /** What it was before, where it was and is changed. */
  readonly live?: ApiObject;
}

/**
 * Makes the cluster's objects be as the manifests say. Every manifest is tried on the server first:
 * when one is refused, nothing is written.
 */
export const apply = async (context: CliContext, options: ApplyOptions): Promise<void> => {
  const format = formatOf(options.output);
  const dryRun = dryRunOf(options.dryRun);
  const how = putOptionsOf(options);
  checkPrune(options);
  const wanted = chosen(await readWanted(context, options), options.selector);
  const note = DRY_RUN_NOTES[dryRun];
  const tell = async (result: Result): Promise<void> => {
    if (format !== 'table') return;
    const { out } = context.terminal;
    out.write(`${lineOf(result)}${note}\n`);
    if (dryRun !== 'none') out.write(changeText(result) + (await fitText(context, result)));
  };
  const results: Result[] = [];
  if (dryRun === 'server') {
    results.push(...(await rehearse(context, wanted, how)));
    for (const each of results) await tell(each);
  } else {
    if (dryRun === 'none' && wanted.length > 1) await rehearse(context, wanted, how);
    for (const each of wanted) {
      const result = await put(context, each, { ...how, dryRun });
      results.push(result);
      await tell(result);
    }
  }
  if (options.prune === true) {
    const { out, err } = context.terminal;
    await prune(context, results, options, dryRun, (text) =>
      (format === 'table' ? out : err).write(text),
    );
  }
  if (format !== 'table') context.terminal.out.write(formatViews(viewsOf(results), format));
};

type ReadOptions = Pick<ApplyOptions, 'filename' | 'recursive' | 'validate' | 'kustomize'>;

/** Those with the labels asked for; all where none are. @throws UsageError */
export const chosen = (
  wanted: readonly Wanted[],
  selector: string | undefined,
): readonly Wanted[] => {
  if (selector === undefined) return wanted;
  const requirements = parseLabelSelector(selector);
  return wanted.filter(({ object }) =>
    matchesRequirements(requirements, object.metadata.labels ?? {}),
  );
};

/** The manifests of the files, and where each goes. @throws UsageError */
export const readWanted = async (
  context: CliContext,
  options: ReadOptions,
): Promise<readonly Wanted[]> => {
  const { filename, recursive, validate, kustomize } = options;
  if (kustomize !== undefined) {
    throw new UsageError(
      `-k: kustomizations are not built here: kubectl kustomize ${kustomize} | dhow apply -f -`,
    );
  }
  // Not so by its type, but nobody may have given one.
  if ((filename as readonly string[] | undefined) === undefined) {
    throw new UsageError('must specify one of -f and -k');
  }
  const manifests = await readManifests(filename, {
    isRecursive: recursive === true,
    duplicateKeys: DUPLICATE_KEYS[validationOf(validate)] ?? 'error',
    onWarning: (text) => context.terminal.err.write(`Warning: ${printable(text)}\n`),
  });
  return placeAll(context, manifests);
};

/** How `options` have the server take what is put there. @throws UsageError */
export const putOptionsOf = ({
  validate,
  serverSide,
  forceConflicts,
  fieldManager,
  dryRun,
}: Omit<ApplyOptions, 'filename'>): Omit<PutOptions, 'dryRun'> => {
  const validation = validationOf(validate);
  if (serverSide !== true) {
    if (forceConflicts === true) {
      throw new UsageError('--force-conflicts only works with --server-side');
    }
    return { validation, fieldManager: fieldManager ?? 'dhow-apply' };
  }
  if (dryRun === 'client') {
    throw new UsageError(
      "--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)",
    );
  }
  const merge = { force: forceConflicts === true };
  return { validation, fieldManager: fieldManager ?? 'dhow', merge };
};

const formatOf = (output: string | undefined): OutputFormat => {
  const format = outputFormat(output);
  if (format !== 'wide') return format;
  throw new UsageError('-o takes json, name or yaml here, not "wide"');
};

/** What `--validate` asks of the server. @throws UsageError */
export const validationOf = (validate = 'strict'): string => {
  const mode = VALIDATION_MODES[validate];
  if (mode !== undefined) return mode;
  throw new UsageError(`--validate takes strict, warn or ignore, not "${validate}"`);
};

/** Where each manifest goes. @throws UsageError, or one that holds an error for each that cannot. */
const placeAll = async (
  context: CliContext,
  manifests: readonly SourcedManifest[],
): Promise<readonly Wanted[]> => {
  const { found, failure } = await collectFound(manifests, (each) => place(context, each));
  if (failure !== undefined) throw failure;
  return found.map(([, wanted]) => wanted);
};

const place = async (context: CliContext, manifest: SourcedManifest): Promise<Wanted> => {
  const { object } = manifest;
  const info = await context
    .resolve(kindName(object.apiVersion, object.kind))
    .catch(undefinedIfUnknown);
  if (info?.kind !== object.kind || versionOf(info) !== object.apiVersion) {
    const isKnown = unservedKind(object.kind) !== undefined;
    throw new UsageError(
      `${manifest.source}:${manifest.lineOf()}: no matches for kind "${object.kind}" in version "${object.apiVersion}"${isKnown ? ': it is not served yet' : ''}`,
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

const undefinedIfUnknown = (error: unknown): undefined => {
  if (error instanceof UsageError) return undefined;
  throw error;
};

const versionOf = ({ group, version }: NamedResource): string =>
  group === '' ? version : `${group}/${version}`;

/**
 * Puts everything with `dryRun=All`. A refusal that names what an earlier document of the same input
 * makes is let pass: the rehearsal makes nothing, so that the later one cannot find it.
 */
export const rehearse = async (
  context: CliContext,
  wanted: readonly Wanted[],
  how: Omit<PutOptions, 'dryRun'>,
): Promise<readonly Result[]> => {
  const made: ApiObject[] = [];
  const results: Result[] = [];
  for (const each of wanted) {
    let result: Result;
    try {
      result = await put(context, each, { ...how, dryRun: 'server' });
    } catch (error) {
      if (!made.some((object) => isMissedBy(error, object))) throw error;
      result = { wanted: each, outcome: 'created', object: each.object };
    }
    results.push(result);
    if (result.outcome === 'created') made.push(each.object);
  }
  return results;
};

/** `serviceaccount "app" not found`, `no PriorityClass with name high was found`, ... */
const isMissedBy = (error: unknown, { kind, metadata: { name } }: ApiObject): boolean => {
  if (!hasReason(error, 'NotFound') && !hasReason(error, 'Forbidden')) return false;
  const words = error.message.toLowerCase().split(/[^a-z0-9.-]+/);
  const kindName = kind.toLowerCase();
  return words.includes(name) && (words.includes(kindName) || words.includes(`${kindName}s`));
};

/** Creates or patches one object, or finds that it is as it should be. */
export const put = (
  context: CliContext,
  wanted: Wanted,
  { validation, dryRun, fieldManager, merge }: PutOptions,
): Promise<Result> =>
  naming(wanted, async () => {
    const query = queryOf({
      fieldManager,
      fieldValidation: validation,
      dryRun: dryRun === 'server' ? 'All' : undefined,
      force: merge?.force === true ? 'true' : undefined,
    });
    const { namespace = '', name } = wanted.object.metadata;
    const live = await context.client
      .get(wanted.info, { namespace, name }, context.signal)
      .catch(absentIfNotFound);
    if (merge !== undefined) return mergeThere(context, wanted, live, query);
    if (dryRun === 'client') return compare(wanted, live);
    return live === undefined
      ? create(context, wanted, query)
      : patch(context, wanted, live, query);
  });

interface PutOptions {
  /** The server's `fieldValidation`. */
  readonly validation: string;
  readonly dryRun: DryRun;
  readonly fieldManager: string;
  /** Have the server merge it, by who owns which field. */
  readonly merge?: { readonly force: boolean };
}

const mergeThere = async (
  { client, signal }: CliContext,
  wanted: Wanted,
  live: ApiObject | undefined,
  query: string,
): Promise<Result> => {
  const { namespace, name } = wanted.object.metadata;
  const object = await client.json<ApiObject>({
    method: 'PATCH',
    path: pathOf(wanted.info, namespace, name) + query,
    body: stringifyJson(wanted.object),
    contentType: 'application/apply-patch+yaml',
    signal,
  });
  return { wanted, outcome: 'serverside-applied', object, ...(live === undefined ? {} : { live }) };
};

/** What would be sent, if anything. */
const compare = (wanted: Wanted, live: ApiObject | undefined): Result => {
  if (live === undefined) return { wanted, outcome: 'created', object: wanted.object };
  const isSame = changeOf(wanted, live) === undefined;
  return { wanted, outcome: isSame ? 'unchanged' : 'configured', object: live };
};

const changeOf = ({ info: { group, version, kind }, object }: Wanted, live: ApiObject) =>
  threeWayPatch({ group, version, kind }, recordOf(live), asJson(live), asJson(withRecord(object)));

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
  const change = changeOf(wanted, live);
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
  return { wanted, outcome, object, live };
};

const absentIfNotFound = (error: unknown): undefined => {
  if (hasReason(error, 'NotFound')) return undefined;
  throw error;
};

/** The manifest as it was applied, kept in the object so that the next apply knows what it gave up. */
export const withRecord = (object: ApiObject): ApiObject => {
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

/**
 * Says which manifest, and which of its lines, a refusal is about. That a server cannot be reached is
 * no manifest's fault.
 */
const naming = async <T>({ manifest }: Wanted, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason === 'ServiceUnavailable') throw error;
    const decoding = decodingErrorOf(error.message);
    const field =
      decoding?.field ?? error.details?.causes?.find((cause) => cause.field !== undefined)?.field;
    const where = `${manifest.source}:${manifest.lineOf(field)}`;
    const message = decoding?.message ?? error.message;
    const isNamed = field === undefined || message.includes(field);
    throw new ApiError(error.reason, `${where}: ${isNamed ? '' : `${field}: `}${message}`, {
      cause: error,
    });
  }
};

/**
 * What a decoder minds, without the patch that the server repeats before it: nobody wrote that. Either
 * names the field in its own way.
 */
const decodingErrorOf = (message: string): { field?: string; message: string } | undefined => {
  const complaint =
    /patch: Invalid value: "(?:[^"\\]|\\.)*": (.*)$/s.exec(message)?.[1] ??
    /strict decoding error: .*$/s.exec(message)?.[0];
  if (complaint === undefined) return undefined;
  const field =
    /unknown field "([^"]+)"/.exec(complaint)?.[1] ??
    /struct field [A-Za-z]+\.(\S+) of type/.exec(complaint)?.[1];
  return { message: complaint, ...(field === undefined ? {} : { field }) };
};

/** How a change looks; empty where there is none to show. */
const changeText = ({ live, object }: Result): string =>
  live === undefined ? '' : objectDiff(live, object);

/** Whether what would be made anew has room; what is placed already stays where it is. */
const fitText = async (context: CliContext, result: Result): Promise<string> => {
  const { wanted, outcome, object, live } = result;
  if (outcome === 'unchanged' || (outcome === 'configured' && isOfKind(object, PODS))) return '';
  // Where the server made the change it knows all of the object, and of a new one nothing is lost.
  const fit = await fitOf(context, live === undefined ? wanted.object : object);
  return fit === undefined ? '' : `  ${fit}\n`;
};

const lineOf = ({ wanted: { info, object }, outcome }: Result): string =>
  `${qualifiedKind(info)}/${object.metadata.name} ${outcome}`;

const viewsOf = (results: readonly Result[]) => {
  const objects = results.map(({ object }) => withoutManagedFields(object));
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
