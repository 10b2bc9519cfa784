import { isIPv4, isIPv6 } from 'node:net';
import type { Service } from '../types';
import { validateIp } from './addresses';
import {
  duplicate,
  forbidden,
  invalid,
  notSupported,
  required,
  type FieldError,
} from './field-error';

type Spec = NonNullable<Service['spec']>;

/** What a service says of its own addresses, by itself. Source: upstream's pkg/apis/core/validation. */
export const validateClusterIps = (spec: Spec): readonly FieldError[] => {
  if (spec.type === 'ExternalName') return [];
  const wrong = (spec.clusterIPs ?? []).flatMap((address, i) => addressErrors(spec, address, i));
  return [
    ...inSync(spec),
    ...validateFamilies(spec),
    ...wrong,
    ...((spec.clusterIPs ?? []).length > 2
      ? [invalid(FIELD, spec.clusterIPs, 'may only hold up to 2 values')]
      : []),
    // Of what is no address the family says nothing.
    ...(wrong.length > 0 ? [] : familyErrors(spec)),
  ];
};

/** Of what is only a name elsewhere. */
export const validateNoClusterIps = (spec: Spec): readonly FieldError[] => [
  ...((spec.clusterIPs ?? []).length > 0 || (spec.clusterIP ?? '') !== ''
    ? [forbidden(FIELD, NOT_FOR_NAMES)]
    : []),
  ...((spec.ipFamilies ?? []).length > 0 ? [forbidden('spec.ipFamilies', NOT_FOR_NAMES)] : []),
  ...(spec.ipFamilyPolicy === undefined ? [] : [forbidden(POLICY, NOT_FOR_NAMES)]),
];

/**
 * Once a service has addresses it keeps them, but for the second, which may come, and go when it is to
 * have one alone.
 */
export const validateAddressChanges = (spec: Spec, old: Spec): readonly FieldError[] => {
  if (spec.type === 'ExternalName' || old.type === 'ExternalName') return [];
  const [isNone, wasNone] = [isHeadless(spec), isHeadless(old)];
  return [
    ...(isNone && wasNone ? [] : changes(spec, old, 'clusterIPs', 'clusterIP')),
    ...(isNone || wasNone ? [] : changes(spec, old, 'ipFamilies', 'ipFamily')),
  ];
};

export const isHeadless = ({ clusterIP, clusterIPs = [] }: Spec): boolean =>
  clusterIPs.length === 0 ? clusterIP === NONE : clusterIPs.length === 1 && clusterIPs[0] === NONE;

const inSync = ({ clusterIP = '', clusterIPs = [] }: Spec): readonly FieldError[] => {
  if (clusterIP === '')
    return clusterIPs.length === 0
      ? []
      : [invalid(FIELD, clusterIPs, 'must be empty when `clusterIP` is not specified')];
  if (clusterIPs.length === 0) return [required(FIELD)];
  return clusterIPs[0] === clusterIP
    ? []
    : [invalid(FIELD, clusterIPs, 'first value must match `clusterIP`')];
};

const validateFamilies = ({ ipFamilies = [], ipFamilyPolicy }: Spec): readonly FieldError[] => [
  ...ipFamilies.flatMap((family, i) => [
    ...(FAMILIES.includes(family) ? [] : [notSupported(`spec.ipFamilies[${i}]`, family, FAMILIES)]),
    ...(ipFamilies.indexOf(family) < i ? [duplicate(`spec.ipFamilies[${i}]`, family)] : []),
  ]),
  ...(ipFamilyPolicy === undefined || POLICIES.includes(ipFamilyPolicy)
    ? []
    : [notSupported(POLICY, ipFamilyPolicy, POLICIES)]),
];

const addressErrors = (
  { clusterIPs = [] }: Spec,
  address: string,
  index: number,
): readonly FieldError[] => {
  if (index === 0 && address === NONE)
    return clusterIPs.length > 1
      ? [invalid(FIELD, clusterIPs, "'None' must be the first and only value")]
      : [];
  return validateIp(address, `${FIELD}[${index}]`);
};

const familyErrors = (spec: Spec): readonly FieldError[] => {
  const { clusterIPs = [], ipFamilies = [] } = spec;
  const isMixed =
    clusterIPs.some((each) => isIPv4(each)) && clusterIPs.some((each) => isIPv6(each));
  return [
    ...(clusterIPs.length > 1 && !isMixed
      ? [invalid(FIELD, clusterIPs, 'may specify no more than one IP for each IP family')]
      : []),
    ...(isHeadless(spec)
      ? []
      : clusterIPs.flatMap((address, i) => {
          const family = ipFamilies[i];
          const isOther =
            (family === 'IPv4' && isIPv6(address)) || (family === 'IPv6' && !isIPv6(address));
          return isOther
            ? [
                invalid(
                  `${FIELD}[${i}]`,
                  address,
                  `expected an ${family} value as indicated by \`ipFamilies[${i}]\``,
                ),
              ]
            : [];
        })),
  ];
};

const changes = (
  spec: Spec,
  old: Spec,
  list: 'clusterIPs' | 'ipFamilies',
  one: string,
): readonly FieldError[] => {
  const [now, before] = [spec[list] ?? [], old[list] ?? []];
  const field = `spec.${list}`;
  const changed = (index: number) => invalid(`${field}[${index}]`, now, ONCE_SET);
  if (now.length === before.length)
    return before.flatMap((each, i) =>
      each === now[i] ? [] : [changed(list === 'clusterIPs' ? i : 0)],
    );
  const addresses = spec.clusterIPs ?? [];
  // Upstream shows the addresses, of whichever list the first has changed.
  const isOther = before.length > 0 && now.length > 0 && now[0] !== before[0];
  const other = isOther ? [invalid(`${field}[0]`, addresses, ONCE_SET)] : [];
  if (now.length > before.length) return other;
  return [
    ...(addresses.length === 0
      ? [invalid(`${field}[0]`, spec[list], `primary ${one} can not be unset`)]
      : []),
    ...other,
    ...(now.length === 1 && spec.ipFamilyPolicy !== 'SingleStack'
      ? [
          invalid(
            POLICY,
            spec.ipFamilyPolicy,
            `must be set to 'SingleStack' when releasing the secondary ${one}`,
          ),
        ]
      : []),
  ];
};

const NONE = 'None';
const FIELD = 'spec.clusterIPs';
const POLICY = 'spec.ipFamilyPolicy';
const FAMILIES = ['IPv4', 'IPv6'];
const POLICIES = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
const ONCE_SET = 'may not change once set';
const NOT_FOR_NAMES = 'may not be set for ExternalName services';
