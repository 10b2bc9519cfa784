import type * as core from 'kubernetes-types/core/v1';
import {
  compareQuantities,
  formatQuantity,
  parseQuantity,
  quantityMillis,
  quantityValue,
  type Quantity,
} from '../quantity';
import { isOvercommitAllowed } from '../resource-names';
import type { DeepReadonly, LimitRange } from '../types';
import {
  duplicate,
  forbidden,
  invalid,
  invalidFor,
  required,
  type FieldError,
} from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { qualifiedNameProblems } from '../names';
import { validateContainerResource, validateResourceName } from './resources';

const RULES: MetadataRules = { isNamespaced: true, name: subdomainName };

export const validateLimitRange = (range: LimitRange): readonly FieldError[] => [
  ...validateMetadata(range, RULES),
  ...validateSpec(range),
];

export const validateLimitRangeUpdate = (
  range: LimitRange,
  old: LimitRange,
): readonly FieldError[] => [...validateMetadataUpdate(range, old, RULES), ...validateSpec(range)];

type Item = DeepReadonly<core.LimitRangeItem>;

const LISTS = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;
const STANDARD_TYPES = ['Pod', 'Container', 'PersistentVolumeClaim'];

/** A body may lack the list though its type promises it. */
const validateSpec = ({ spec }: LimitRange): readonly FieldError[] => {
  const items = (spec?.limits as readonly Item[] | null | undefined) ?? [];
  return items.flatMap((item, i) => {
    const field = `spec.limits[${i}]`;
    const isRepeated = items.slice(0, i).some(({ type }) => type === item.type);
    return [
      ...validateType(typeOf(item), `${field}.type`),
      ...(isRepeated ? [duplicate(`${field}.type`, typeOf(item))] : []),
      ...LISTS.flatMap((list) => validateNames(item, list, field)),
      ...validateClaim(item, field),
      ...namesIn(item).flatMap((name) => validateAmounts(amountsOf(item, name), name, field)),
    ];
  });
};

const typeOf = ({ type }: Partial<Item>): string => type ?? '';

const validateType = (type: string, field: string): readonly FieldError[] => {
  const problems = qualifiedNameProblems(type);
  if (problems.length > 0) return invalidFor(field, type, problems);
  return type.includes('/') || STANDARD_TYPES.includes(type)
    ? []
    : [invalid(field, type, 'must be a standard limit type or fully qualified')];
};

const validateNames = (
  item: Item,
  list: (typeof LISTS)[number],
  field: string,
): readonly FieldError[] => {
  const names = Object.keys(item[list] ?? {});
  const isDefault = list === 'default' || list === 'defaultRequest';
  if (isDefault && item.type === 'Pod')
    return names.length === 0
      ? []
      : [forbidden(`${field}.${list}`, "may not be specified when `type` is 'Pod'")];
  const isOfContainers = item.type === 'Pod' || item.type === 'Container';
  const check = isOfContainers ? validateContainerResource : validateResourceName;
  return names.flatMap((name) => check(name, `${field}.${list}[${name}]`));
};

const validateClaim = (item: Item, field: string): readonly FieldError[] =>
  item.type !== 'PersistentVolumeClaim' ||
  item.min?.['storage'] !== undefined ||
  item.max?.['storage'] !== undefined
    ? []
    : [
        required(
          `${field}.limits`,
          'either minimum or maximum storage value is required, but neither was provided',
        ),
      ];

const namesIn = (item: Item): readonly string[] =>
  [...new Set(LISTS.flatMap((list) => Object.keys(item[list] ?? {})))].sort();

type ItemAmounts = Readonly<Record<(typeof LISTS)[number], Quantity | undefined>>;

const amountsOf = (item: Item, name: string): ItemAmounts => {
  const amountIn = (list: (typeof LISTS)[number]): Quantity | undefined => {
    const texts = item[list];
    // A resource may be called as what every object inherits.
    const text = texts !== undefined && Object.hasOwn(texts, name) ? texts[name] : undefined;
    const isIgnored = item.type === 'Pod' && (list === 'default' || list === 'defaultRequest');
    return text === undefined || isIgnored ? undefined : parseQuantity(text);
  };
  return Object.fromEntries(LISTS.map((list) => [list, amountIn(list)])) as ItemAmounts;
};

/** Of one resource: from the least to the most, in the order in which upstream looks at them. */
const validateAmounts = (
  { min, max, default: limit, defaultRequest: request, maxLimitRequestRatio: ratio }: ItemAmounts,
  name: string,
  field: string,
): readonly FieldError[] => {
  const at = (list: string): string => `${field}.${list}[${name}]`;
  return [
    ...ordered(['min', min], ['max', max], at('min'), min),
    ...ordered(['min', min], ['default request', request], at('defaultRequest'), request),
    ...ordered(['default request', request], ['max', max], at('defaultRequest'), request),
    ...ordered(
      ['default request', request],
      ['default limit', limit],
      at('defaultRequest'),
      request,
    ),
    ...ordered(['min', min], ['default', limit], at('default'), min),
    ...ordered(['default', limit], ['max', max], at('default'), max),
    ...validateRatio(ratio, min, max, at('maxLimitRequestRatio')),
    ...(limit !== undefined &&
    request !== undefined &&
    !isOvercommitAllowed(name) &&
    compareQuantities(limit, request) !== 0
      ? [
          invalid(
            at('defaultRequest'),
            formatQuantity(request),
            `default value ${formatQuantity(limit)} must equal to defaultRequest value ` +
              `${formatQuantity(request)} in ${name}`,
          ),
        ]
      : []),
  ];
};

type Named = readonly [name: string, amount: Quantity | undefined];

const ordered = (
  [lowName, low]: Named,
  [highName, high]: Named,
  field: string,
  shown: Quantity | undefined,
): readonly FieldError[] =>
  low === undefined || high === undefined || compareQuantities(low, high) <= 0
    ? []
    : [
        invalid(
          field,
          formatQuantity(shown ?? low),
          `${lowName} value ${formatQuantity(low)} is greater than ${highName} value ` +
            formatQuantity(high),
        ),
      ];

const validateRatio = (
  ratio: Quantity | undefined,
  min: Quantity | undefined,
  max: Quantity | undefined,
  field: string,
): readonly FieldError[] => {
  if (ratio === undefined) return [];
  const text = formatQuantity(ratio);
  const widest =
    min === undefined || max === undefined || min.nanos <= 0n ? undefined : quotient(max, min);
  return [
    ...(ratio.nanos < 1_000_000_000n ? [invalid(field, text, `ratio ${text} is less than 1`)] : []),
    ...(widest !== undefined && Number(quantityMillis(ratio)) / 1000 > widest
      ? [invalid(field, text, `ratio ${text} is greater than max/min = ${widest.toFixed(6)}`)]
      : []),
  ];
};

/** Upstream reckons in thousandths where they fit its integers, which is exact enough for all. */
const quotient = (a: Quantity, b: Quantity): number =>
  quantityValue(b) > 2n ** 53n
    ? Number(quantityValue(a)) / Number(quantityValue(b))
    : Number(quantityMillis(a)) / Number(quantityMillis(b));
