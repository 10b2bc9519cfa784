import fc from 'fast-check';
import { holds, rangesOf, SERVICE_CIDR_FINALIZER } from '../../../api/service-cidrs';
import type { ServiceCidr } from '../../../api/types';
import { ipOf } from '../../../lib/net/ip';
import { isNeeded, planServiceCidr, withBothFamilies, type Step } from './plan';

const DELETED = '2026-01-01T00:00:00Z';
const NOW = { text: '2026-01-01T00:00:20Z', ms: Date.parse('2026-01-01T00:00:20Z') };

const range = (name: string, cidrs: readonly string[], metadata: object = {}): ServiceCidr => ({
  ...{ apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR' },
  metadata: { name, uid: name, finalizers: [SERVICE_CIDR_FINALIZER], ...metadata },
  spec: { cidrs },
});
const going = { deletionTimestamp: DELETED };
const plan = (object: ServiceCidr, others: readonly ServiceCidr[] = [], addresses: string[] = []) =>
  planServiceCidr(object, [object, ...others], addresses, NOW);
const conditionIn = (step: Step | undefined) =>
  step?.kind === 'write' ? step.object.status?.conditions?.[0] : undefined;

it('is held by a finalizer before it is ready, and left alone when it is', () => {
  const held = plan(range('a', ['10.97.0.0/24'], { finalizers: ['x/y'] }));
  expect(held).toMatchObject({ kind: 'write', isStatus: false });
  expect(held?.kind === 'write' && held.object.metadata.finalizers).toEqual([
    'x/y',
    SERVICE_CIDR_FINALIZER,
  ]);
  const ready = plan(range('a', ['10.97.0.0/24']));
  expect(conditionIn(ready)).toEqual({
    ...{ type: 'Ready', status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready' },
    lastTransitionTime: NOW.text,
  });
  expect(ready?.kind === 'write' && plan(ready.object)).toBeUndefined();
});

it('stays while an address is in no other range, and says so once', () => {
  const object = range('a', ['10.97.0.0/24'], going);
  const step = plan(object, [], ['10.97.0.7']);
  expect(conditionIn(step)).toEqual({
    ...{ type: 'Ready', status: 'False', reason: 'Terminating', lastTransitionTime: NOW.text },
    message:
      'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR',
  });
  expect(step?.kind === 'write' && plan(step.object, [], ['10.97.0.7'])).toBeUndefined();
});

it.each<[string, readonly ServiceCidr[], string[], boolean]>([
  ['no addresses', [], [], false],
  ['addresses elsewhere', [], ['10.96.0.7', 'None', ''], false],
  ['an address of its own', [], ['10.97.0.7'], true],
  ['an address that another range has', [range('b', ['10.97.0.0/25'])], ['10.97.0.7'], false],
  ['an address that another has not', [range('b', ['10.97.0.0/25'])], ['10.97.0.200'], true],
  ['an address at the edge of another', [range('b', ['10.97.0.0/25'])], ['10.97.0.127'], true],
  ['a range around it', [range('b', ['10.97.0.0/16'])], ['10.97.0.7'], false],
  [
    'a range around it that goes as well',
    [range('b', ['10.97.0.0/16'], going)],
    ['10.97.0.7'],
    true,
  ],
])('with %s', (_what, others, addresses, expected) => {
  const object = range('a', ['10.97.0.0/24'], going);
  expect(isNeeded(object, [object, ...others], addresses)).toBe(expected);
});

it('goes no sooner than what was under way has ended', () => {
  const object = range('a', ['10.97.0.0/24'], { deletionTimestamp: '2026-01-01T00:00:13Z' });
  expect(plan(object)).toEqual({ kind: 'wait', ms: 3_000 });
  const step = plan(range('a', ['10.97.0.0/24'], going));
  expect(step?.kind === 'release' && step.object.metadata.finalizers).toEqual([]);
  expect(plan(range('a', ['10.97.0.0/24'], { ...going, finalizers: ['x/y'] }))).toBeUndefined();
});

it('gains a second family, and nothing else', () => {
  const own = range('kubernetes', ['10.96.0.0/16']);
  const both = ['10.96.0.0/16', 'fd96::/112'];
  expect(withBothFamilies(own, both).spec?.cidrs).toEqual(both);
  for (const other of [['10.96.0.0/16'], ['10.95.0.0/16', 'fd96::/112']])
    expect(withBothFamilies(own, other)).toBe(own);
});

const cidr = fc
  .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 25, max: 30 }))
  .map(([block, length]) => `10.97.0.${block * 64}/${length === 25 ? 26 : length}`);

it('never leaves an address without a range, however many go at once', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(cidr, fc.boolean()), { minLength: 1, maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 254 }), { maxLength: 8 }),
      (given, hosts) => {
        const all = given.map(([each, isGoing], i) => range(`r${i}`, [each], isGoing ? going : {}));
        const addresses = hosts.map((host) => `10.97.0.${host}`);
        const isHeld = (objects: readonly ServiceCidr[], address: string) =>
          objects.some((one) => rangesOf(one).some((each) => holds(each, ipOf(address)!)));
        const left = all.filter(
          (one) => one.metadata.deletionTimestamp === undefined || isNeeded(one, all, addresses),
        );
        for (const address of addresses) expect(isHeld(left, address)).toBe(isHeld(all, address));
      },
    ),
  );
});
