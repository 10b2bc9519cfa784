import { parseFieldSelector } from '../../../api/field-selectors';
import { SelectorError } from '../../../api/selectors';
import { forbidden, invalid, required, type FieldError } from '../../../api/validation/field-error';
import { fieldsAt, isFields, listAt, textAt, type Fields } from '../kinds/mutable';
import type { Attributes } from './access-attributes';

/** What is wrong with the spec of a review of access, in upstream's words. */
export const problemsOfAccess = (
  kind: string,
  spec: Fields,
  namespace: string,
): readonly FieldError[] => {
  const resource = spec['resourceAttributes'];
  const path = spec['nonResourceAttributes'];
  const isOfSelf = kind === 'SelfSubjectAccessReview';
  const isNobody = textAt(spec, 'user') === '' && listAt(spec, 'groups').length === 0;
  return [
    ...(isFields(resource) && isFields(path)
      ? [
          invalid(
            'spec.nonResourceAttributes',
            path,
            'cannot be specified in combination with resourceAttributes',
          ),
        ]
      : []),
    ...(!isFields(resource) && !isFields(path)
      ? [
          invalid(
            'spec.resourceAttributes',
            null,
            'exactly one of nonResourceAttributes or resourceAttributes must be specified',
          ),
        ]
      : []),
    ...(!isOfSelf && isNobody
      ? [invalid('spec.user', '', 'at least one of user or group must be specified')]
      : []),
    ...(isFields(resource) ? SELECTORS.flatMap((name) => problemsOfSelector(resource, name)) : []),
    ...(kind === 'LocalSubjectAccessReview' ? problemsOfPlace(spec, namespace) : []),
  ];
};

/** What a review asks about. */
export const attributesIn = (spec: Fields): Attributes => {
  const resource = spec['resourceAttributes'];
  const path = spec['nonResourceAttributes'];
  const from = isFields(resource) ? resource : path;
  const fields = exactFieldsIn(fieldsAt(from, 'fieldSelector'));
  return {
    verb: textAt(from, 'verb'),
    group: textAt(from, 'group'),
    resource: textAt(from, 'resource'),
    subresource: textAt(from, 'subresource'),
    namespace: textAt(from, 'namespace'),
    name: textAt(from, 'name'),
    ...(fields.size === 0 ? {} : { fields }),
    ...(isFields(path) ? { path: textAt(path, 'path') } : {}),
  };
};

const problemsOfPlace = (spec: Fields, namespace: string): readonly FieldError[] => {
  const asked = textAt(spec, 'resourceAttributes', 'namespace');
  const path = spec['nonResourceAttributes'];
  return [
    ...(isFields(spec['resourceAttributes']) && asked !== namespace
      ? [invalid('spec.resourceAttributes.namespace', asked, 'must match metadata.namespace')]
      : []),
    ...(isFields(path)
      ? [invalid('spec.nonResourceAttributes', path, 'disallowed on this kind of request')]
      : []),
  ];
};

const problemsOfSelector = (attributes: Fields, name: string): readonly FieldError[] => {
  const selector = attributes[name];
  if (!isFields(selector)) return [];
  const field = `spec.resourceAttributes.${name}`;
  const raw = textAt(selector, 'rawSelector');
  const requirements = listAt(selector, 'requirements');
  return [
    ...(raw !== '' && requirements.length > 0
      ? [invalid(`${field}.rawSelector`, raw, 'may not specified at the same time as requirements')]
      : []),
    ...(raw === '' && requirements.length === 0
      ? [
          required(
            `${field}.requirements`,
            `when ${field} is specified, requirements or rawSelector is required`,
          ),
        ]
      : []),
    ...requirements.flatMap((each, index) =>
      problemsOfRequirement(each, `${field}.requirements[${index}]`),
    ),
  ];
};

const problemsOfRequirement = (requirement: unknown, field: string): readonly FieldError[] => {
  const operator = textAt(requirement, 'operator');
  const hasValues = listAt(requirement, 'values').length > 0;
  const key = textAt(requirement, 'key');
  const noKey = key === '' ? [required(`${field}.key`, 'must be specified')] : [];
  switch (operator) {
    case 'In':
    case 'NotIn':
      return hasValues
        ? noKey
        : [
            ...noKey,
            required(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'"),
          ];
    case 'Exists':
    case 'DoesNotExist':
      return hasValues
        ? [
            ...noKey,
            forbidden(
              `${field}.values`,
              "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ),
          ]
        : noKey;
    default:
      return [...noKey, invalid(`${field}.operator`, operator, 'not a valid selector operator')];
  }
};

/** The fields that must have one value. */
const exactFieldsIn = (selector: Fields): ReadonlyMap<string, string> => {
  const listed = listAt(selector, 'requirements')
    .filter((each) => textAt(each, 'operator') === 'In' && listAt(each, 'values').length === 1)
    .map((each): [string, string] => [textAt(each, 'key'), String(listAt(each, 'values')[0])]);
  return new Map([...rawFields(textAt(selector, 'rawSelector')), ...listed]);
};

/** Of a selector as text. One that does not parse limits nothing, as upstream has it. */
export const rawFields = (raw: string): readonly (readonly [string, string])[] => {
  try {
    return parseFieldSelector(raw)
      .filter(({ operator }) => operator === '=')
      .map(({ field, value }) => [field, value]);
  } catch (error) {
    if (error instanceof SelectorError) return [];
    throw error;
  }
};

const SELECTORS = ['fieldSelector', 'labelSelector'];
