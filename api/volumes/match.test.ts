import * as fc from 'fast-check';

import type { PersistentVolume, PersistentVolumeClaim } from '../types';
import { bestVolumeFor, mismatchOf } from '.';

interface VolumeOptions {
  readonly storage?: string;
  readonly spec?: object;
  readonly labels?: Readonly<Record<string, string>>;
  readonly phase?: string;
}

const volume = (
  name: string,
  { storage = '1Gi', spec = {}, labels = {}, phase = 'Available' }: VolumeOptions = {},
): PersistentVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name, uid: `uid-${name}`, labels },
  spec: {
    ...{ capacity: { storage }, accessModes: ['ReadWriteOnce'], storageClassName: 'disk' },
    ...{ volumeMode: 'Filesystem', hostPath: { path: '/srv' } },
    ...spec,
  },
  status: { phase },
});

const claim = (spec: object = {}, storage = '1Gi'): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'c', namespace: 'ns', uid: 'uid-c' },
  spec: {
    ...{ accessModes: ['ReadWriteOnce'], storageClassName: 'disk', volumeMode: 'Filesystem' },
    resources: { requests: { storage } },
    ...spec,
  },
});

const reserved = (uid?: string) => ({
  claimRef: { name: 'c', namespace: 'ns', ...(uid === undefined ? {} : { uid }) },
});
const on = (node: string) => ({
  nodeAffinity: {
    required: {
      nodeSelectorTerms: [
        { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] },
      ],
    },
  },
});
const best = (...args: Parameters<typeof bestVolumeFor>) => bestVolumeFor(...args)?.metadata.name;

it('takes the smallest volume that is large enough, whatever order they come in', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 9 }),
      (sizes, wanted) => {
        const volumes = sizes.map((size, i) => volume(`v${i}`, { storage: `${size}Gi` }));
        const found = bestVolumeFor(claim({}, `${wanted}Gi`), volumes)?.spec?.capacity?.['storage'];
        const enough = sizes.filter((size) => size >= wanted);
        expect(found).toBe(enough.length === 0 ? undefined : `${Math.min(...enough)}Gi`);
        expect(best(claim({}, `${wanted}Gi`), [...volumes].reverse())).toBe(
          best(claim({}, `${wanted}Gi`), volumes),
        );
      },
    ),
  );
});

it.each<[string, VolumeOptions, object]>([
  ['another class', { spec: { storageClassName: 'other' } }, {}],
  ['another mode', { spec: { volumeMode: 'Block' } }, {}],
  ['fewer access modes', {}, { accessModes: ['ReadWriteOnce', 'ReadOnlyMany'] }],
  ['labels that are not selected', {}, { selector: { matchLabels: { tier: 'fast' } } }],
  ['another claim', { spec: { claimRef: { name: 'd', namespace: 'ns' } } }, {}],
  ['a claim of its name that is gone', { spec: reserved('before') }, {}],
  ['nobody who has said that it is free', { phase: 'Pending' }, {}],
])('leaves a volume of %s', (_what, options, spec) => {
  expect(best(claim(spec), [volume('v', options)])).toBeUndefined();
});

it('takes what is kept for it before anything smaller, and where only that is asked for', () => {
  const free = volume('a');
  const kept = volume('b', { storage: '9Gi', spec: { ...reserved(), storageClassName: 'x' } });
  expect(best(claim(), [free, kept])).toBe('b');
  expect(best(claim(), [free], { isReservedOnly: true })).toBeUndefined();
  expect(best(claim(), [free, kept], { isReservedOnly: true })).toBe('b');
});

it('selects by labels, and only what the node can reach', () => {
  const fast = volume('fast', { labels: { tier: 'fast' } });
  const selector = { matchLabels: { tier: 'fast' } };
  expect(best(claim({ selector }), [volume('any'), fast])).toBe('fast');
  const node = { metadata: { name: 'n2', labels: { 'kubernetes.io/hostname': 'n2' } } };
  const volumes = [volume('a', { spec: on('n1') }), volume('b', { spec: on('n2') })];
  expect(best(claim(), volumes, { node })).toBe('b');
});

it.each<[string, VolumeOptions]>([
  ['requested PV is too small', { storage: '1Mi' }],
  ['storageClassName does not match', { spec: { storageClassName: '' } }],
  ['incompatible volumeMode', { spec: { volumeMode: 'Block' } }],
  ['incompatible accessMode', { spec: { accessModes: ['ReadOnlyMany'] } }],
])('says of a volume that is named: %s', (why, options) => {
  expect(mismatchOf(volume('v', options), claim())).toBe(why);
  expect(mismatchOf(volume('v'), claim())).toBeUndefined();
});
