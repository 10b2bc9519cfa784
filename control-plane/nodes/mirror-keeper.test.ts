import fc from 'fast-check';

import { nameKey, nameOf, type Pod } from '../../api/types';
import { planMirrors } from './mirror-keeper';

const MIRROR = 'kubernetes.io/config.mirror';

const podOf = (name: string, hash: string | undefined, isDeleted = false): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    ...{ name, namespace: 'default', uid: `${name}/${hash ?? ''}` },
    ...(hash === undefined ? {} : { annotations: { [MIRROR]: hash } }),
    ...(isDeleted ? { deletionTimestamp: 'now' } : {}),
  },
  spec: { containers: [] },
  status: {},
});

it('shows all static pods and nothing else, and touches no pod that is no mirror', () => {
  const name = fc.constantFrom('a', 'b', 'c');
  const hash = fc.constantFrom('1', '2');
  const wantedPods = fc.uniqueArray(fc.record({ name, hash }), { selector: (each) => each.name });
  const presentPods = fc.uniqueArray(
    fc.record({ name, hash: fc.option(hash, { nil: undefined }), isDeleted: fc.boolean() }),
    { selector: (each) => each.name },
  );
  fc.assert(
    fc.property(wantedPods, presentPods, (wantedRows, presentRows) => {
      const wanted = new Map(
        wantedRows.map((each) => {
          const pod = podOf(each.name, each.hash);
          return [nameKey(nameOf(pod)), pod];
        }),
      );
      let present = presentRows.map((each) => podOf(each.name, each.hash, each.isDeleted));
      const others = present.filter(({ metadata }) => metadata.annotations === undefined);
      // Each round does what the plan says; the second sees the names that the first has freed.
      for (let round = 0; round < 2; round++) {
        const { create, remove } = planMirrors(wanted, present);
        for (const pod of remove) expect(others).not.toContain(pod);
        present = [...present.filter((pod) => !remove.includes(pod)), ...create];
      }
      expect(planMirrors(wanted, present)).toEqual({ create: [], remove: [] });
      for (const other of others) expect(present).toContain(other);
      const taken = new Set(others.map(({ metadata }) => metadata.name));
      const mirrors = present.filter((pod) => !others.includes(pod));
      expect(mirrors.map(({ metadata }) => metadata.uid).sort()).toEqual(
        [...wanted.values()]
          .filter(({ metadata }) => !taken.has(metadata.name))
          .map(({ metadata }) => metadata.uid)
          .sort(),
      );
    }),
  );
});

it('begins anew with what has ended, when its agent comes', () => {
  const ended = { ...podOf('a', '1'), status: { phase: 'Failed' } };
  const wanted = new Map([[nameKey(nameOf(ended)), podOf('a', '1')]]);
  expect(planMirrors(wanted, [ended], true).remove).toEqual([ended]);
  expect(planMirrors(wanted, [ended]).remove).toEqual([]);
});
