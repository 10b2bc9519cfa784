import { ApiError } from '../../../api/errors';
import {
  forbidden,
  invalid,
  invalidError,
  notSupported,
  required,
  type FieldError,
} from '../../../api/validation/field-error';
import { MANAGER_LENGTH_MAX, validateManagerName } from '../../../api/validation/managers';
import type { PatchType } from '../../../client/api-client';
import type { Resource } from '../../../api/resources';
import type { Permit } from '../auth/permit';
import { isFields, valueAt, type Fields } from '../kinds/mutable';
import type { ApiRequest } from '../http/exchange';
import type { PropagationPolicy } from '../objects/deletion-rules';
import type { DeletionOptions } from '../objects/object-deleter';
import type { ListQuery } from '../objects/object-reader';
import type { WatchQuery } from '../objects/object-watcher';
import { parseVersion } from '../objects/versions';
import type { FieldValidation, Preconditions, WriteContext } from '../objects/write-context';
import { checkWatchOptions, versionMatchOf } from './list-options';
import { isInt64 } from '../../../api/int64';

/** @throws Invalid for an option that has no such value. */
export const writeContextOf = (
  { method, query, headers, signal, place, annotate, span }: ApiRequest,
  permit: Permit,
  subresource = '',
): WriteContext => ({
  permit,
  isDryRun: parseDryRun(query.getAll('dryRun'), OPTIONS_OF[method]),
  fieldManager:
    parseFieldManager(query.get('fieldManager'), OPTIONS_OF[method]) ||
    managerOf(headers['user-agent']),
  subresource,
  operation: 'Update',
  tracksOwners: true,
  isForced: false,
  fieldValidation: parseFieldValidation(query.get('fieldValidation'), OPTIONS_OF[method]),
  warnings: [],
  options: givenOptions(query, OPTIONS_OF[method] ?? ''),
  ...(place === undefined ? {} : { place }),
  ...(annotate === undefined ? {} : { annotate }),
  ...(span === undefined ? {} : { span }),
  signal,
});

/**
 * As admission is told of them: what the request says, and nothing that it leaves out. `force` is
 * of patches alone, and admission knows none.
 */
const givenOptions = (query: URLSearchParams, kind: string): Fields => ({
  kind,
  apiVersion: 'meta.k8s.io/v1',
  ...(query.has('dryRun') ? { dryRun: query.getAll('dryRun') } : {}),
  ...Object.fromEntries(
    ['fieldManager', 'fieldValidation']
      .map((name) => [name, query.get(name) ?? ''] as const)
      .filter(([, value]) => value !== ''),
  ),
});

/** The same for a deletion, whose options come in its body too. */
export const withDeleteOptions = (context: WriteContext, body: unknown): WriteContext => {
  const given = isFields(body) ? body : {};
  const named = Object.entries(given).filter(([name]) => DELETE_OPTIONS.has(name));
  return {
    ...context,
    isDryRun: context.isDryRun || isDryRunBody(body),
    options: { ...context.options, ...Object.fromEntries(named) },
  };
};

export const listQueryOf = (query: URLSearchParams, namespace: string): ListQuery => {
  // The match first: it may be forbidden whatever the version is.
  versionMatchOf(query);
  const version = parseVersion(query.get('resourceVersion'));
  const limit = parseInt64(query, 'limit');
  const isLegacyExact = (limit ?? 0) > 0 && (version ?? 0) > 0;
  const versionMatch = versionMatchOf(query) ?? (isLegacyExact ? 'Exact' : undefined);
  const token = query.get('continue');
  return {
    ...selectionOf(query, namespace),
    ...(limit === undefined ? {} : { limit }),
    ...(token === null || token === '' ? {} : { continue: token }),
    ...(version === undefined ? {} : { version }),
    ...(versionMatch === undefined ? {} : { versionMatch }),
  };
};

export const watchQueryOf = (
  query: URLSearchParams,
  namespace: string,
  resource: Resource,
): WatchQuery => {
  checkWatchOptions(query, resource);
  const version = parseVersion(query.get('resourceVersion'));
  return {
    ...selectionOf(query, namespace),
    ...(version === undefined ? {} : { version }),
    allowsBookmarks: isTrue(query, 'allowWatchBookmarks'),
    ...(query.has('sendInitialEvents')
      ? { sendsInitialEvents: isTrue(query, 'sendInitialEvents') }
      : {}),
  };
};

/** Options from the body, then the query. @throws BadRequest */
export const deletionOptionsOf = (body: unknown, query: URLSearchParams): DeletionOptions => {
  if (body !== undefined && !isFields(body)) throw refuse('DeleteOptions must be an object');
  const options: Fields = body ?? {};
  const grace = options['gracePeriodSeconds'] ?? parseCount(query, 'gracePeriodSeconds');
  const policy = propagationPolicyOf(options, query);
  if (grace !== undefined && !isInt64(grace)) throw refuse('gracePeriodSeconds must be an integer');
  const preconditions = preconditionsOf(options['preconditions']);
  refuseUnread(options, query);
  return {
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    ...(policy === undefined ? {} : { propagationPolicy: policy }),
    ...(preconditions === undefined ? {} : { preconditions }),
  };
};

/** There is no way to delete an object unread: whoever asks for one must not think that it is gone. */
const refuseUnread = (options: Fields, query: URLSearchParams): void => {
  const name = 'ignoreStoreReadErrorWithClusterBreakingPotential';
  if (options[name] !== true && !isTrue(query, name)) return;
  const why = 'an object that cannot be read is not deleted through the API';
  throw invalidOptions('DeleteOptions', [forbidden(name, why)]);
};

/** `orphanDependents` is how one said it before there was a policy. */
const propagationPolicyOf = (
  options: Fields,
  query: URLSearchParams,
): PropagationPolicy | undefined => {
  const policy = options['propagationPolicy'] ?? query.get('propagationPolicy') ?? undefined;
  const orphans = options['orphanDependents'] ?? query.get('orphanDependents') ?? undefined;
  if (orphans === undefined) return policy === undefined ? undefined : parsePolicy(policy);
  if (policy === undefined) return orphans === true || orphans === 'true' ? 'Orphan' : 'Background';
  const why = 'orphanDependents and deletionPropagation cannot be both set';
  throw invalidOptions('DeleteOptions', [invalid('propagationPolicy', policy, why)]);
};

/** The body of a delete may ask for a dry run too. */
export const isDryRunBody = (body: unknown): boolean => {
  const dryRun = valueAt(body, 'dryRun');
  return (
    Array.isArray(dryRun) && dryRun.length > 0 && parseDryRun(dryRun.map(String), 'DeleteOptions')
  );
};

/** A flag that is given without a value is set, and so is one with any but `0` and `false`. */
export const isTrue = (query: URLSearchParams, name: string): boolean => {
  const value = query.get(name);
  return value !== null && value !== '0' && value.toLowerCase() !== 'false';
};

/** @throws BadRequest in upstream's words */
export const parseInt64 = (query: URLSearchParams, name: string): number | undefined => {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  const shown = JSON.stringify(text.slice(0, SHOWN_MAX));
  if (!/^[+-]?\d+$/.test(text)) throw refuse(`strconv.ParseInt: parsing ${shown}: invalid syntax`);
  if (!isInt64(BigInt(text.replace('+', '').slice(0, SHOWN_MAX))))
    throw refuse(`strconv.ParseInt: parsing ${shown}: value out of range`);
  return Number(text);
};

/** A non-negative integer parameter. @throws BadRequest */
export const parseCount = (query: URLSearchParams, name: string): number | undefined => {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text))
    throw refuse(`${name}: Invalid value: ${JSON.stringify(text)}: must be a non-negative integer`);
  return Number(text);
};

const selectionOf = (query: URLSearchParams, namespace: string) => ({
  ...(namespace === '' ? {} : { namespace }),
  labelSelector: query.get('labelSelector') ?? '',
  fieldSelector: query.get('fieldSelector') ?? '',
});

/** Whether an apply takes over what others own. @throws Invalid */
export const parseForce = (query: URLSearchParams, type: PatchType): boolean => {
  const isApply = type === 'apply';
  const errors = [
    ...(isApply && (query.get('fieldManager') ?? '') === ''
      ? [required('fieldManager', 'is required for apply patch')]
      : []),
    ...(!isApply && query.has('force')
      ? [forbidden('force', 'may not be specified for non-apply patch')]
      : []),
  ];
  if (errors.length > 0) throw invalidOptions('PatchOptions', errors);
  return isTrue(query, 'force');
};

/** @throws Invalid */
const parseFieldManager = (text: string | null, optionsKind?: string): string => {
  const manager = text ?? '';
  const errors = validateManagerName(manager, 'fieldManager');
  if (errors.length > 0) throw invalidOptions(optionsKind, errors);
  return manager;
};

const parseDryRun = (values: readonly string[], optionsKind?: string): boolean => {
  const unknown = values.find((value) => value !== 'All' && value !== '');
  if (unknown !== undefined)
    throw invalidOptions(optionsKind, [notSupported('dryRun', unknown, ['All'])]);
  return values.includes('All');
};

const parseFieldValidation = (text: string | null, optionsKind?: string): FieldValidation => {
  if (text === null || text === '') return 'Warn';
  if (text === 'Strict' || text === 'Warn' || text === 'Ignore') return text;
  throw invalidOptions(optionsKind, [
    notSupported('fieldValidation', text, ['', 'Ignore', 'Strict', 'Warn']),
  ]);
};

const parsePolicy = (value: unknown): PropagationPolicy => {
  if (value === 'Background' || value === 'Foreground' || value === 'Orphan') return value;
  throw invalidOptions('DeleteOptions', [
    notSupported('propagationPolicy', value, ['Foreground', 'Background', 'Orphan', 'nil']),
  ]);
};

const preconditionsOf = (value: unknown): Preconditions | undefined => {
  if (!isFields(value)) return undefined;
  const { uid, resourceVersion } = value;
  return {
    ...(typeof uid === 'string' ? { uid } : {}),
    ...(typeof resourceVersion === 'string' ? { resourceVersion } : {}),
  };
};

/** `kubectl/v1.34.5 (linux/amd64) ...` manages fields as `kubectl`. */
const managerOf = (userAgent = ''): string =>
  (userAgent.split('/', 1)[0] ?? '').replace(ALL_UNPRINTABLE, '').slice(0, MANAGER_LENGTH_MAX);

const refuse = (message: string): ApiError => new ApiError('BadRequest', message);

const invalidOptions = (kind = 'Options', errors: readonly FieldError[]): ApiError =>
  invalidError({ group: 'meta.k8s.io', kind }, '', errors);

/** What the options of each method are called. */
const OPTIONS_OF: Readonly<Partial<Record<string, string>>> = {
  POST: 'CreateOptions',
  PUT: 'UpdateOptions',
  PATCH: 'PatchOptions',
  DELETE: 'DeleteOptions',
};
const DELETE_OPTIONS: ReadonlySet<string> = new Set([
  ...['dryRun', 'gracePeriodSeconds', 'orphanDependents', 'preconditions', 'propagationPolicy'],
]);
const ALL_UNPRINTABLE = /[\p{C}\u2028\u2029]/gu;
const SHOWN_MAX = 256;
