import { testContainer, testPod } from '../pods/testing';
import { isCritical } from '../pod-spec/critical';
import { storageExcess, storagePlanOf, type StoragePlaces } from './storage-limits';

const MI = 2 ** 20;
const places: StoragePlaces = {
  volumePath: (name) => (name === 'mem' ? undefined : `/volumes/${name}`),
  containerPaths: (name) => [`/layers/${name}`, `/logs/${name}`],
};
const container = (name: string, storage?: string) =>
  testContainer({
    name,
    ...(storage === undefined ? {} : { resources: { limits: { 'ephemeral-storage': storage } } }),
  });
const volume = (name: string, sizeLimit?: string) => ({
  name,
  emptyDir: sizeLimit === undefined ? {} : { sizeLimit },
});

/** What is said when each part takes so many Mi. */
const excessOf = (spec: Parameters<typeof testPod>[0], used: Readonly<Record<string, number>>) => {
  const plan = storagePlanOf(testPod(spec), places);
  const bytes = plan.subjects.map(({ name }) => (used[name] ?? 0) * MI);
  return storageExcess(plan, { bytes, inodes: [], isWhole: true });
};

it('measures nothing of a pod without limits', () => {
  const spec = { containers: [container('a')], volumes: [volume('v')] };
  expect(storagePlanOf(testPod({ spec }), places).subjects).toEqual([]);
});

it('measures only limited volumes while no container has a limit', () => {
  const spec = { containers: [container('a')], volumes: [volume('v'), volume('w', '10Mi')] };
  const { job } = storagePlanOf(testPod({ spec }), places);
  expect(job).toEqual({ parts: [{ paths: ['/volumes/w'], limitBytes: 10 * MI }] });
});

it('measures all that is on disk as soon as one container has a limit', () => {
  const spec = {
    initContainers: [container('i')],
    containers: [container('a', '10Mi'), container('b')],
    volumes: [volume('v'), volume('mem', '5Mi')],
  };
  const { job } = storagePlanOf(testPod({ spec }), places);
  expect(job.limitBytes).toBe(10 * MI);
  expect(job.parts.map(({ paths }) => paths[0])).toEqual([
    '/volumes/v',
    '/layers/a',
    '/layers/b',
    '/layers/i',
  ]);
});

describe('a pod goes', () => {
  const both = {
    spec: {
      containers: [container('a', '10Mi'), container('b', '20480Ki')],
      volumes: [volume('v', '5Mi'), volume('w')],
    },
  };
  it.each([
    [
      'for a volume first',
      { v: 6, a: 90 },
      'Usage of EmptyDir volume "v" exceeds the limit "5Mi". ',
    ],
    [
      'for all together',
      { v: 5, w: 5, a: 10, b: 11 },
      'Pod ephemeral local storage usage exceeds the total limit of containers 30Mi. ',
    ],
    [
      'for one container',
      { b: 21 },
      'Container b exceeded its local ephemeral storage limit "20Mi". ',
    ],
  ])('%s, in the words of the kubelet', (_title, used, expected) => {
    expect(excessOf(both, used)).toBe(expected);
  });

  it('only beyond its limits, not at them', () => {
    expect(excessOf(both, { v: 5, w: 5, a: 10, b: 10 })).toBeUndefined();
  });

  it('for what a container without a limit takes, too', () => {
    const spec = { containers: [container('a', '10M'), container('b')] };
    expect(excessOf({ spec }, { b: 11 })).toBe(
      'Pod ephemeral local storage usage exceeds the total limit of containers 10M. ',
    );
  });

  it('never for a volume whose limit is 0', () => {
    const spec = { containers: [container('a')], volumes: [volume('v', '0')] };
    expect(excessOf({ spec }, { v: 100 })).toBeUndefined();
  });
});

it('leaves pods that the node cannot do without', () => {
  expect(isCritical(testPod())).toBe(false);
  expect(isCritical(testPod({ spec: { priority: 2_000_000_000 } }))).toBe(true);
});
