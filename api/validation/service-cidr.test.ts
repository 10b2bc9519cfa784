import { SERVICE_CIDRS } from '../resources';
import { refusal } from '../testing';

const object = (...cidrs: readonly string[]) => ({ metadata: { name: 'a' }, spec: { cidrs } });
const FOUR = '10.97.0.0/24';
const SIX = 'fd97::/112';
const VALID = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';
const ONE_EACH =
  'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64';

it.each<[readonly string[], readonly string[]]>([
  [[FOUR], []],
  [[SIX, FOUR], []],
  [[], ['spec.cidrs: Required value: at least one CIDR required']],
  [
    [FOUR, SIX, FOUR],
    [
      `spec.cidrs: Invalid value: {"CIDRs":["${FOUR}","${SIX}","${FOUR}"]}: may only hold up to 2 values`,
    ],
  ],
  [['x'], [`spec.cidrs[0]: Invalid value: "x": ${VALID}`]],
  [['10.97.0.0'], [`spec.cidrs[0]: Invalid value: "10.97.0.0": ${VALID}`]],
  [
    ['10.97.0.1/24'],
    [
      'spec.cidrs[0]: Invalid value: "10.97.0.1/24": must not have bits set beyond the prefix length',
    ],
  ],
  [
    ['FD97::/112'],
    ['spec.cidrs[0]: Invalid value: "FD97::/112": must be in canonical form ("fd97::/112")'],
  ],
  [[FOUR, '10.98.0.0/24'], [`spec.cidrs: Invalid value: ["${FOUR}","10.98.0.0/24"]: ${ONE_EACH}`]],
])('judges the ranges %j', (cidrs, expected) => {
  expect(refusal(SERVICE_CIDRS, object(...cidrs))).toEqual(expected);
});

it('needs ranges', () => {
  expect(refusal(SERVICE_CIDRS, { metadata: { name: 'a' } })).toEqual([
    'spec.cidrs: Required value: at least one CIDR required',
  ]);
});

it.each<[readonly string[], readonly string[], readonly string[]]>([
  [[FOUR], [FOUR], []],
  [[FOUR], [FOUR, SIX], []],
  [[FOUR], [SIX], [`spec.cidrs[0]: Invalid value: "${SIX}": field is immutable`]],
  [[FOUR], [SIX, FOUR], [`spec.cidrs[0]: Invalid value: "${SIX}": field is immutable`]],
  [
    [FOUR],
    [FOUR, '10.98.0.0/24'],
    [`spec.cidrs: Invalid value: ["${FOUR}","10.98.0.0/24"]: ${ONE_EACH}`],
  ],
  [[FOUR, SIX], [FOUR], [`spec.cidrs: Invalid value: ["${FOUR}"]: field is immutable`]],
])('judges a change from %j to %j', (before, after, expected) => {
  expect(refusal(SERVICE_CIDRS, object(...after), object(...before))).toEqual(expected);
});
