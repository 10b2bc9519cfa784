import { EXACT, quantitiesOf, type Amounts } from '../amounts';
import { isPodLevelResource } from '../pod-level-resources';
import { containersTotal } from '../pods';
import { compareQuantities, formatQuantity, type Quantity } from '../quantity';
import { isHugePages } from '../resource-names';
import type { PodSpec } from '../types';
import { forbidden, invalid, notSupported, type FieldError } from './field-error';
import {
  validateAmount,
  validateHugePages,
  validateRequests,
  validateResourceName,
} from './resources';

/**
 * What a pod itself asks for and is limited in, beside its containers. Source: upstream's
 * validatePodResources and KEP-2837.
 */
export const validatePodLevelResources = (spec: PodSpec, field: string): readonly FieldError[] => {
  const { resources, os } = spec;
  if (resources === undefined) return [];
  if (os?.name === 'windows') return [forbidden(field, 'may not be set for a windows pod')];
  const { limits = {}, requests = {}, claims } = resources;
  return [
    ...(claims === undefined
      ? []
      : [forbidden(`${field}.claims`, 'claims cannot be set for Resources at pod-level')]),
    ...validateList(limits, `${field}.limits`),
    ...validateList(requests, `${field}.requests`),
    ...validateRequests(resources, field),
    ...validateHugePages(resources, field),
    ...validateAgainstContainers(spec, quantitiesOf(requests), quantitiesOf(limits), field),
  ];
};

const validateList = (
  list: Readonly<Record<string, string>>,
  field: string,
): readonly FieldError[] =>
  Object.entries(list).flatMap(([name, text]) => [
    ...validateName(name, `${field}[${name}]`),
    ...validateAmount(name, text, `${field}[${name}]`),
  ]);

const validateName = (name: string, field: string): readonly FieldError[] => {
  const problems = validateResourceName(name, field);
  return problems.length > 0 || isPodLevelResource(name)
    ? problems
    : [notSupported(field, name, SUPPORTED)];
};

/** The pod must have room for what its containers ask for, and for what each of them may use. */
const validateAgainstContainers = (
  spec: PodSpec,
  requests: Amounts,
  limits: Amounts,
  field: string,
): readonly FieldError[] => {
  // A spec without containers is refused elsewhere.
  if ((spec.containers as PodSpec['containers'] | null | undefined)?.length === undefined)
    return [];
  const asked = containersTotal(spec, 'requests', EXACT);
  const pages = containersTotal(spec, 'limits', EXACT);
  return [
    ...[...asked].flatMap(([name, amount]) =>
      validateAtLeast(requests.get(name), amount, `${field}.requests[${name}]`, 'requests'),
    ),
    ...[...pages]
      .filter(([name]) => isHugePages(name))
      .flatMap(([name, amount]) =>
        validateAtLeast(limits.get(name), amount, `${field}.limits[${name}]`, 'limits'),
      ),
    ...spec.containers.flatMap(({ resources }, i) =>
      [...quantitiesOf(resources?.limits)].flatMap(([name, limit]) => {
        const most = limits.get(name);
        return most === undefined || compareQuantities(limit, most) <= 0
          ? []
          : [
              invalid(
                `${field}.containers[${i}][${name}].limits`,
                formatQuantity(limit),
                `must be less than or equal to pod limits of ${formatQuantity(most)}`,
              ),
            ];
      }),
    ),
  ];
};

const validateAtLeast = (
  own: Quantity | undefined,
  sum: Quantity,
  field: string,
  list: string,
): readonly FieldError[] =>
  own === undefined || compareQuantities(sum, own) <= 0
    ? []
    : [
        invalid(
          field,
          formatQuantity(own),
          `must be greater than or equal to aggregate container ${list} of ${formatQuantity(sum)}`,
        ),
      ];

const SUPPORTED = ['cpu', 'hugepages-', 'memory'];
