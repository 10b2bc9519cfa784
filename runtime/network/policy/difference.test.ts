import { NO_POLICIES, type PacketPolicies } from '../../packet-policies';
import { afterChange, differenceOf } from './difference';
import { planPolicies } from './plan';

const policies = (
  clients: readonly string[],
  more: Partial<PacketPolicies> = {},
): PacketPolicies => ({
  ...NO_POLICIES,
  sandboxes: new Map([['web', { ingress: ['p'] }]]),
  policies: new Map([['p', { ingress: [{ peers: [{ set: 'clients' }] }], egress: [] }]]),
  addressSets: new Map([['clients', clients]]),
  ...more,
});
const WEB = new Map([['web', ['10.42.0.2']]]);

/** From `web` isolated, with one client, to something else. */
const stepTo = (after: PacketPolicies, addresses: ReadonlyMap<string, readonly string[]>) => {
  const before = planPolicies(policies(['10.42.0.3']), WEB, 4);
  const applied = afterChange({ chains: new Map(), containers: new Map() }, before);
  return differenceOf(applied, planPolicies(after, addresses, 4));
};

it.each<[string, boolean, PacketPolicies, ReadonlyMap<string, readonly string[]>]>([
  ['the same', false, policies(['10.42.0.3']), WEB],
  ['one more client', false, policies(['10.42.0.3', '10.42.0.4']), WEB],
  ['a client less', true, policies([]), WEB],
  [
    'an address of the host that is guarded too',
    true,
    policies(['10.42.0.3'], { guardedAddresses: ['10.96.0.10'] }),
    WEB,
  ],
  ['a pod that has gone', false, policies(['10.42.0.3']), new Map()],
  [
    'a pod that nobody isolates any more',
    false,
    policies(['10.42.0.3'], { sandboxes: new Map([['web', {}]]) }),
    WEB,
  ],
  ['a pod of which nothing is known', true, policies(['10.42.0.3'], { sandboxes: new Map() }), WEB],
  [
    'another pod that is isolated',
    true,
    policies(['10.42.0.3'], {
      sandboxes: new Map([
        ['web', { ingress: ['p'] }],
        ['db', { ingress: ['p'] }],
      ]),
    }),
    new Map([...WEB, ['db', ['10.42.0.5']]]),
  ],
])('%s: flows have to be looked at: %s', (_what, isStricter, after, addresses) => {
  expect(stepTo(after, addresses).isStricter).toBe(isStricter);
});
