import type * as core from 'kubernetes-types/core/v1';
import { isWholePages } from '../huge-pages';
import { compareQuantities, parseQuantity, type Quantity } from '../quantity';
import {
  isHugePages,
  isOvercommitAllowed,
  isStandardContainerResource,
  isStandardResource,
} from '../resource-names';
import type { DeepReadonly } from '../types';
import { forbidden, invalid, invalidFor, required, type FieldError } from './field-error';
import { qualifiedNameProblems } from '../names';

type Requirements = DeepReadonly<core.ResourceRequirements>;
type ResourceList = Readonly<Record<string, string>>;

/** Requests and limits of one container. Decoding has refused texts that are no quantities. */
export const validateResources = (
  resources: Requirements | undefined,
  field: string,
): readonly FieldError[] => {
  const { limits = {}, requests = {} } = resources ?? {};
  return [
    ...validateList(limits, `${field}.limits`),
    ...validateList(requests, `${field}.requests`),
    ...validateRequests(resources, field),
    ...validateHugePages(resources, field),
  ];
};

/** Whole pages only, and beside memory or processors. Source: upstream's validateResourceRequirements. */
export const validateHugePages = (
  resources: Requirements | undefined,
  field: string,
): readonly FieldError[] => {
  const { limits = {}, requests = {} } = resources ?? {};
  const names = Object.keys({ ...limits, ...requests });
  return [
    ...validatePages(limits, `${field}.limits`),
    ...validatePages(requests, `${field}.requests`),
    ...(names.some(isHugePages) && !names.includes('cpu') && !names.includes('memory')
      ? [forbidden(field, 'HugePages require cpu or memory')]
      : []),
  ];
};

const validatePages = (list: ResourceList, field: string): readonly FieldError[] =>
  Object.entries(list).flatMap(([name, amount]) =>
    isHugePages(name) && !isWholePages(name, amount)
      ? [invalid(`${field}[${name}]`, amount, `${amount} ${NOT_WHOLE} ${name}`)]
      : [],
  );

const NOT_WHOLE = 'is not positive integer multiple of';

/**
 * Without what `stored` finds, too: an amount that is no whole number of pages stays where it was before
 * that was asked, and a new one is refused beside it. Source: upstream's AllowIndivisibleHugePagesValues.
 */
export const exceptStoredPages = (
  errors: readonly FieldError[],
  stored: () => readonly FieldError[],
): readonly FieldError[] => {
  const isOfPages = ({ message }: FieldError): boolean =>
    message.includes(`${NOT_WHOLE} hugepages-`);
  if (!errors.some(isOfPages)) return errors;
  const kept = new Set(
    stored()
      .filter(isOfPages)
      .map(({ message }) => message),
  );
  return errors.filter(({ message }) => !kept.has(message));
};

/** Each request against the limit beside it. */
export const validateRequests = (
  resources: Requirements | undefined,
  field: string,
): readonly FieldError[] => {
  const { limits = {}, requests = {} } = resources ?? {};
  return Object.entries(requests).flatMap(([name, request]) =>
    validateAgainstLimit(name, request, own(limits, name), field),
  );
};

/** What every object inherits is no limit: a resource may be called `toString`. */
const own = (list: ResourceList, name: string): string | undefined =>
  Object.hasOwn(list, name) ? list[name] : undefined;

/** A list of resources of a node or of pod overhead: names and signs. */
export const validateList = (list: ResourceList, field: string): readonly FieldError[] =>
  Object.entries(list).flatMap(([name, text]) => [
    ...validateContainerResource(name, field),
    ...validateAmount(name, text, `${field}[${name}]`),
  ]);

/** Of what a container asks for. */
export const validateContainerResource = (name: string, field: string): readonly FieldError[] => [
  ...validateResourceName(name, field),
  ...(name.includes('/') ||
  isStandardContainerResource(name) ||
  qualifiedNameProblems(name).length > 0
    ? []
    : [invalid(field, name, 'must be a standard resource for containers')]),
];

/** Of anything that can be limited. */
export const validateResourceName = (name: string, field: string): readonly FieldError[] => {
  const problems = qualifiedNameProblems(name);
  if (problems.length > 0) return invalidFor(field, name, problems);
  if (name.includes('/') || isStandardResource(name)) return [];
  return [invalid(field, name, 'must be a standard resource type or fully qualified')];
};

export const validateAmount = (
  name: string,
  text: string,
  field: string,
): readonly FieldError[] => {
  const amount = parseQuantity(text);
  if (amount.nanos < 0n) return [invalid(field, text, 'must be greater than or equal to 0')];
  const isWhole = amount.nanos % 1_000_000_000n === 0n;
  return isOvercommitAllowed(name) || isWhole ? [] : [invalid(field, text, 'must be an integer')];
};

const validateAgainstLimit = (
  name: string,
  request: string,
  limit: string | undefined,
  field: string,
): readonly FieldError[] => {
  if (limit === undefined) {
    return isOvercommitAllowed(name)
      ? []
      : [required(`${field}.limits`, 'Limit must be set for non overcommitable resources')];
  }
  const order = compareQuantities(amountOf(request), amountOf(limit));
  if (order === 0 || (order < 0 && isOvercommitAllowed(name))) return [];
  const relation = isOvercommitAllowed(name) ? 'less than or equal to' : 'equal to';
  return [invalid(`${field}.requests`, request, `must be ${relation} ${name} limit of ${limit}`)];
};

const amountOf = (text: string): Quantity => parseQuantity(text);
