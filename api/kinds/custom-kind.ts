import { stringifyJson, isJsonObject } from '../../lib/json';
import { ApiError } from '../errors';
import { assignJson } from '../json-value';
import { defineKind, type KindInfo } from './kind';
import type { Resource } from '../resources';
import type {
  ApiObject,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
} from '../types';
import { versionProblems } from '../custom-resources/definition';
import { invalid, type FieldError } from '../validation/field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from '../validation/metadata';
import { compileChecks } from '../custom-resources/checks';
import { defaulted, DefaultsTooLargeError } from '../custom-resources/defaults';
import { schemaOfVersion } from '../custom-resources/definitions';
import { embeddedProblems } from '../custom-resources/embedded-problems';
import { propertyOf, type JsonSchema } from '../structural/json-schema';
import { listProblems } from '../custom-resources/list-types';
import { hasRules, ruleProblems } from '../custom-resources/rules';
import type { Steps } from '../custom-resources/steps';
import { publishedDefinition } from '../custom-resources/published';
import { finalizerWarnings } from '../custom-resources/finalizers';

/** All that is known of one version of a kind that users define. */
export const customKind = (
  definition: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
): KindInfo => {
  const { acceptedNames = definition.spec.names } = definition.status;
  const schema = schemaOfVersion(version);
  const resource = resourceOf(definition, acceptedNames, version.name, schema);
  return defineKind(resource, {
    ...rulesOf(schema, version, resource),
    singular: acceptedNames.singular ?? resource.kind.toLowerCase(),
    shortNames: acceptedNames.shortNames ?? [],
    categories: acceptedNames.categories ?? [],
    subresources: [
      ...(version.subresources?.status === undefined ? [] : ['status']),
      ...(version.subresources?.scale === undefined ? [] : ['scale']),
    ],
    fields: Object.fromEntries(
      (version.selectableFields ?? []).map(({ jsonPath }) => [
        jsonPath.slice(1),
        (object: ApiObject) => textAt(object, jsonPath),
      ]),
    ),
  });
};

/**
 * What all versions of a kind have in common, for what is done to their metadata alone: named by the
 * version that is stored, and held to no schema.
 */
export const storedKind = (
  definition: CustomResourceDefinition,
  storage: CustomResourceDefinitionVersion,
): KindInfo => {
  const { acceptedNames = definition.spec.names } = definition.status;
  const resource = resourceOf(definition, acceptedNames, storage.name, ANYTHING);
  const metadata = metadataRules(resource);
  return defineKind(resource, {
    validateCreate: (object) => validateMetadata(object, metadata),
    validateUpdate: (object, old) => validateMetadataUpdate(object, old, metadata),
  });
};

const ANYTHING: JsonSchema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

const resourceOf = (
  { spec }: CustomResourceDefinition,
  names: CustomResourceDefinitionNames,
  version: string,
  schema: JsonSchema,
): Resource => {
  const { group, scope } = spec;
  const { kind, plural } = names;
  const listKind = names.listKind ?? `${kind}List`;
  const own = { group, version, kind };
  return {
    ...own,
    plural,
    isNamespaced: scope === 'Namespaced',
    listKind,
    definition: publishedDefinition(own, schema),
  };
};

const metadataRules = ({ isNamespaced }: Resource): MetadataRules => ({
  ...{ isNamespaced, name: subdomainName },
  takesAnyFinalizer: true,
});

const rulesOf = (
  schema: JsonSchema,
  { subresources }: CustomResourceDefinitionVersion,
  resource: Resource,
) => {
  const metadata = metadataRules(resource);
  const checks = compileChecks(schema);
  const status = propertyOf(schema, 'status');
  const statusChecks = status && compileChecks(status);
  const { scale } = subresources ?? {};
  const replicas = (object: ApiObject, ...paths: readonly string[]): readonly FieldError[] =>
    paths.flatMap((path) => replicasProblems(object, path));
  return {
    applyDefaults: (object: ApiObject): void => fillIn(object, schema),
    validateCreate: (object: ApiObject): readonly FieldError[] => [
      ...validateMetadata(object, metadata),
      ...checks.problems(object),
      ...(scale === undefined
        ? []
        : replicas(object, scale.specReplicasPath, scale.statusReplicasPath)),
      ...embeddedProblems(object, schema),
      ...listProblems(object, schema),
    ],
    validateUpdate: (object: ApiObject, old: ApiObject): readonly FieldError[] => [
      ...versionProblems(object),
      ...validateMetadataUpdate(object, old, metadata),
      ...checks.problems(object, { value: old }),
      ...(scale === undefined
        ? []
        : replicas(object, scale.specReplicasPath, scale.statusReplicasPath)),
      ...embeddedProblems(object, schema),
      // What holds the same twice already may go on doing so.
      ...(listProblems(old, schema).length > 0 ? [] : listProblems(object, schema)),
    ],
    validateStatusUpdate: (object: ApiObject, old: ApiObject): readonly FieldError[] => [
      ...validateMetadataUpdate(object, old, metadata),
      ...(statusChecks === undefined || !Object.hasOwn(object, 'status')
        ? []
        : statusChecks.problems(statusIn(object), { value: statusIn(old) }, 'status')),
      ...(scale === undefined ? [] : replicas(object, scale.statusReplicasPath)),
    ],
    ...(hasRules(schema) ? { judge: judgeBy(schema) } : {}),
    warnings: finalizerWarnings,
  };
};

/** @throws RequestEntityTooLarge */
const fillIn = (object: ApiObject, schema: JsonSchema): void => {
  try {
    const filled = defaulted(object, schema);
    if (filled !== object) assignJson(object, filled);
  } catch (error) {
    if (!(error instanceof DefaultsTooLargeError)) throw error;
    throw new ApiError('RequestEntityTooLarge', error.message, { cause: error });
  }
};

/** Rules are asked only about values that are of their types. */
const judgeBy = (schema: JsonSchema) =>
  function* (
    object: ApiObject,
    old: ApiObject | undefined,
    errors: readonly FieldError[],
  ): Steps<readonly FieldError[]> {
    if (errors.some(({ type }) => BLOCKING.has(type))) return [...errors, UNCHECKED];
    const before = old === undefined ? undefined : { value: old };
    return [...errors, ...(yield* ruleProblems(object, schema, before))];
  };

const BLOCKING: ReadonlySet<string> = new Set([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);
const UNCHECKED = invalid(
  '<nil>',
  null,
  'some validation rules were not checked because the object was invalid; correct the existing errors ' +
    'to complete validation',
);

const statusIn = (object: ApiObject): unknown => (object as { readonly status?: unknown }).status;

const replicasProblems = (object: ApiObject, path: string): readonly FieldError[] => {
  const value = valueAt(object, path) ?? 0;
  if (typeof value !== 'number' || !Number.isInteger(value))
    return [
      invalid(
        path,
        0,
        `${path} accessor error: ${stringifyJson(value)} is of the type ${typeof value}, expected int64`,
      ),
    ];
  if (value < 0) return [invalid(path, value, 'should be a non-negative integer')];
  return value > REPLICAS_MAX
    ? [invalid(path, value, `should be less than or equal to ${REPLICAS_MAX}`)]
    : [];
};

/** The value at a path of field names: `.spec.replicas`. */
export const valueAt = (object: unknown, path: string): unknown => {
  let value = object;
  for (const name of path.slice(1).split('.')) {
    if (!isJsonObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
};

/** As field selectors compare it: nothing is an empty text. */
const textAt = (object: unknown, path: string): string => {
  const value = valueAt(object, path);
  return typeof value === 'string' ||
    typeof value === 'number' ||
    typeof value === 'boolean' ||
    typeof value === 'bigint'
    ? String(value)
    : '';
};

const REPLICAS_MAX = 2 ** 31 - 1;
