import { isIPv4, isIPv6 } from 'node:net';
import { jsonEqual } from '../../../api/json-value';
import { invalid, type FieldError } from '../../../api/validation/field-error';
import { validateClusterIps } from '../../../api/validation/service-addresses';
import {
  HEADLESS,
  isHeadless,
  needsAddress,
  type OldSpec,
  type ServiceSpec,
} from '../../../api/service-fields';

export type IpFamily = 'IPv4' | 'IPv6';

/**
 * Says of which families a service is, as far as its author has not, by what the cluster has. Changes the
 * service in place, and returns why it cannot be. Source of the rules: KEP-563.
 *
 * @param configured The families of the cluster's service ranges, that of most services first.
 */
export const fillIpFamilies = (
  spec: ServiceSpec,
  old: OldSpec | undefined,
  configured: readonly IpFamily[],
): readonly FieldError[] => {
  if (!needsAddress(spec) || keepsBoth(spec, old)) return [];
  spec.ipFamilyPolicy ??= old?.ipFamilyPolicy ?? defaultPolicy(spec);
  const wrong = validateClusterIps(spec);
  if (wrong.length > 0) return wrong;
  const errors = [
    ...(old === undefined ? [] : reduce(spec, old)),
    ...policyErrors(spec),
    ...inferFamilies(spec, configured),
  ];
  if (errors.length > 0) return errors;
  if (isLeftAlone(spec)) {
    completeAny(spec, configured);
    return [];
  }
  const missing = configurationErrors(spec, configured);
  if (missing.length > 0) return missing;
  if ((spec.ipFamilies ?? []).length === 0) spec.ipFamilies = configured.slice(0, 1);
  if (spec.ipFamilyPolicy !== SINGLE && configured.length === 2) addOther(spec);
  return [];
};

/** Of a service that prefers both: it neither gains nor loses one by a change of the cluster. */
export const keepsBoth = (spec: OldSpec, old: OldSpec | undefined): boolean =>
  old !== undefined &&
  old.type === spec.type &&
  needsAddress(spec) &&
  spec.ipFamilyPolicy === PREFER &&
  (old.ipFamilyPolicy ?? PREFER) === PREFER &&
  jsonEqual(old.clusterIPs ?? [], spec.clusterIPs ?? []) &&
  jsonEqual(old.ipFamilies ?? [], spec.ipFamilies ?? []);

/** Of no addresses and no pods: whoever makes its endpoints may use any family. */
const isLeftAlone = (spec: OldSpec): boolean =>
  isHeadless(spec) && Object.keys(spec.selector ?? {}).length === 0;

const defaultPolicy = (spec: OldSpec): string => (isLeftAlone(spec) ? REQUIRE : SINGLE);

const reduce = (spec: ServiceSpec, old: OldSpec): readonly FieldError[] => {
  if (spec.ipFamilyPolicy === SINGLE) {
    for (const field of ['clusterIPs', 'ipFamilies'] as const)
      if (jsonEqual(spec[field] ?? [], old[field] ?? []) && (spec[field] ?? []).length > 1)
        spec[field] = (spec[field] ?? []).slice(0, 1);
    return [];
  }
  const isReduced = (field: 'clusterIPs' | 'ipFamilies') => {
    const count = (spec[field] ?? []).length;
    return count > 0 && count < (old[field] ?? []).length;
  };
  const why = (what: string) =>
    invalid(
      'spec.ipFamilyPolicy',
      spec.ipFamilyPolicy,
      `must be 'SingleStack' to release the secondary ${what}`,
    );
  return [
    ...(isReduced('clusterIPs') ? [why('cluster IP')] : []),
    ...(isReduced('ipFamilies') ? [why('IP family')] : []),
  ];
};

const policyErrors = (spec: OldSpec): readonly FieldError[] => {
  if (spec.ipFamilyPolicy !== SINGLE) return [];
  const why = (what: string) =>
    invalid(
      'spec.ipFamilyPolicy',
      spec.ipFamilyPolicy,
      `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`,
    );
  return [
    ...((spec.clusterIPs ?? []).length === 2 ? [why('cluster IPs')] : []),
    ...((spec.ipFamilies ?? []).length === 2 ? [why('IP families')] : []),
  ];
};

/** Where addresses say more than the list of families. */
const inferFamilies = (
  spec: ServiceSpec,
  configured: readonly IpFamily[],
): readonly FieldError[] => {
  const errors: FieldError[] = [];
  const addresses = spec.clusterIPs ?? [];
  if (addresses[0] === HEADLESS) return [];
  for (const [i, address] of addresses.entries()) {
    if (i < (spec.ipFamilies ?? []).length) continue;
    const family = familyOf(address);
    if (family !== undefined && configured.includes(family))
      spec.ipFamilies = [...(spec.ipFamilies ?? []), family];
    else
      errors.push(
        invalid(
          `spec.clusterIPs[${i}]`,
          addresses,
          `${family ?? 'unknown'} is not configured on this cluster`,
        ),
      );
  }
  return errors;
};

const configurationErrors = (
  spec: OldSpec,
  configured: readonly IpFamily[],
): readonly FieldError[] => [
  ...(spec.ipFamilyPolicy === REQUIRE && configured.length < 2
    ? [
        invalid(
          'spec.ipFamilyPolicy',
          spec.ipFamilyPolicy,
          'this cluster is not configured for dual-stack services',
        ),
      ]
    : []),
  ...(spec.ipFamilies ?? []).flatMap((family, i) =>
    configured.some((each) => each === family)
      ? []
      : [invalid(`spec.ipFamilies[${i}]`, family, 'not configured on this cluster')],
  ),
];

const completeAny = (spec: ServiceSpec, configured: readonly IpFamily[]): void => {
  if ((spec.ipFamilies ?? []).length === 0) spec.ipFamilies = configured.slice(0, 1);
  if (spec.ipFamilyPolicy !== SINGLE) addOther(spec);
};

const addOther = (spec: ServiceSpec): void => {
  const [first, ...others] = spec.ipFamilies ?? [];
  if (first !== undefined && others.length === 0)
    spec.ipFamilies = [first, first === 'IPv4' ? 'IPv6' : 'IPv4'];
};

export const familyOf = (address: string): IpFamily | undefined =>
  isIPv4(address) ? 'IPv4' : isIPv6(address) ? 'IPv6' : undefined;

const SINGLE = 'SingleStack';
const PREFER = 'PreferDualStack';
const REQUIRE = 'RequireDualStack';
