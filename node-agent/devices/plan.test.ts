import fc from 'fast-check';

import { effectiveRequests } from '../../api/pods';
import type { Container } from '../../api/types';
import { testContainer, testPod } from '../pods/testing';
import { chooseDevices, nextNeed, stillReserved } from './plan';

const GADGET = 'example.com/gadget';

const asking = (name: string, count: number, more: Partial<Container> = {}): Container => {
  const amounts = { [GADGET]: String(count) };
  return testContainer({ name, resources: { requests: amounts, limits: amounts }, ...more });
};

describe('the choice of devices', () => {
  const need = { container: 'c', count: 2, mustInclude: ['a'], inUse: [] };

  it('is the plugin’s', () => {
    expect(chooseDevices(need, ['a', 'b', 'c'], ['c', 'a'])).toEqual(['c', 'a']);
  });

  it.each([
    ['too few', ['a']],
    ['one twice', ['a', 'a']],
    ['none that must be', ['b', 'c']],
    ['what is not to be had', ['a', 'x']],
    ['nothing', []],
  ])('is the first ones’ when the plugin prefers %s', (_what, preferred) => {
    expect(chooseDevices(need, ['b', 'a', 'c'], preferred)).toEqual(['a', 'b']);
  });
});

it('hands out as many as a pod asks for, none of them twice at a time', () => {
  const container = fc.record({ count: fc.nat(4), isSidecar: fc.boolean() });
  const pods = fc
    .record({
      inits: fc.array(container, { maxLength: 4 }),
      mains: fc.array(container, { minLength: 1, maxLength: 3 }),
    })
    .map(({ inits, mains }) =>
      testPod({
        spec: {
          initContainers: inits.map(({ count, isSidecar }, index) =>
            asking(`i${index}`, count, isSidecar ? { restartPolicy: 'Always' } : {}),
          ),
          containers: mains.map(({ count }, index) => asking(`m${index}`, count)),
        },
      }),
    );
  fc.assert(
    fc.property(pods, fc.array(fc.nat(), { minLength: 10, maxLength: 10 }), (pod, chances) => {
      const total = effectiveRequests(pod.spec).others[GADGET] ?? 0;
      const all = Array.from({ length: total + 3 }, (_, index) => `d${index}`);
      let reserved: readonly string[] = all.slice(0, total);
      const given = new Map<string, readonly string[]>();
      for (let round = 0; ; round++) {
        const need = nextNeed(pod, GADGET, (name) => given.get(name));
        if (need === undefined) break;
        const available = [...new Set([...reserved, ...all])].filter(
          (id) => !need.inUse.includes(id),
        );
        // A plugin that likes any of them.
        const others = available.filter((id) => !need.mustInclude.includes(id));
        const shift = (chances[round] ?? 0) % Math.max(1, others.length);
        const liked = [...others.slice(shift), ...others.slice(0, shift)];
        const preferred = [...need.mustInclude, ...liked].slice(0, need.count);
        const ids = chooseDevices(need, available, preferred);
        expect(new Set(ids).size).toBe(need.count);
        expect(ids.filter((id) => need.inUse.includes(id))).toEqual([]);
        reserved = stillReserved(reserved, [...given.values()].flat(), ids);
        given.set(need.container, ids);
        // Never more is kept from others than the scheduler has counted.
        expect(reserved.length).toBe(total);
        expect(ids.every((id) => reserved.includes(id))).toBe(true);
      }
    }),
    { numRuns: 300 },
  );
});
