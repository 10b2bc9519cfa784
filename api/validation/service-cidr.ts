import { familyOf, formatPrefix, masked, parseCidr } from '../../lib/net/ip';
import type { ServiceCidr } from '../types';
import { immutable, invalid, required, type FieldError } from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { validateCidr } from './addresses';

const RULES: MetadataRules = { isNamespaced: false, name: subdomainName };
const FIELD = 'spec.cidrs';

/** Source: upstream's pkg/apis/networking/validation. */
export const validateServiceCidr = (object: ServiceCidr): readonly FieldError[] => [
  ...validateMetadata(object, RULES),
  ...validateRanges(rangesIn(object)),
];

/** A range stays, and one of the other family may join it. */
export const validateServiceCidrUpdate = (
  object: ServiceCidr,
  old: ServiceCidr,
): readonly FieldError[] => [
  ...validateMetadataUpdate(object, old, RULES),
  ...validateChange(rangesIn(object), rangesIn(old)),
];

export const validateServiceCidrStatusUpdate = (
  object: ServiceCidr,
  old: ServiceCidr,
): readonly FieldError[] => validateMetadataUpdate(object, old, RULES);

const rangesIn = ({ spec }: ServiceCidr): readonly string[] => spec?.cidrs ?? [];

const validateChange = (now: readonly string[], before: readonly string[]) => {
  const changed = before.flatMap((range, i) =>
    range === now[i] ? [] : [immutable(`${FIELD}[${i}]`, now[i])],
  );
  if (now.length === before.length) return changed;
  return before.length === 1 && now.length === 2
    ? [...changed, ...validateRanges(now)]
    : [immutable(FIELD, now)];
};

const validateRanges = (ranges: readonly string[]): readonly FieldError[] => {
  if (ranges.length === 0) return [required(FIELD, 'at least one CIDR required')];
  // As upstream shows it.
  if (ranges.length > 2) return [invalid(FIELD, { CIDRs: ranges }, 'may only hold up to 2 values')];
  const [first, second] = ranges.map((range) => familyOf(range.replace(/\/.*$/, '')));
  return [
    ...ranges.flatMap((range, i) => validateRange(range, `${FIELD}[${i}]`)),
    ...(first !== undefined && first === second
      ? [
          invalid(
            FIELD,
            ranges,
            'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64',
          ),
        ]
      : []),
  ];
};

/** Spelt in the one way in which everybody spells it. */
const validateRange = (text: string, field: string): readonly FieldError[] => {
  const wrong = validateCidr(text, field);
  const range = parseCidr(text);
  if (wrong.length > 0 || typeof range === 'string') return wrong;
  const [plain, canonical] = [formatPrefix(range), formatPrefix(masked(range))];
  if (plain !== canonical)
    return [invalid(field, text, 'must not have bits set beyond the prefix length')];
  return text === canonical
    ? []
    : [invalid(field, text, `must be in canonical form (${JSON.stringify(canonical)})`)];
};
