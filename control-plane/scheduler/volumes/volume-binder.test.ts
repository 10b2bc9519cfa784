import { ApiError } from '../../../api/errors';
import type { Resource } from '../../../api/resources';
import {
  keyOf,
  type ApiObject,
  type PersistentVolume,
  type PersistentVolumeClaim,
} from '../../../api/types';
import type { ApiClient } from '../../../client/api-client';
import { ManualClock } from '../../../lib/clock';
import { testNode, testPod } from '../testing';
import { VolumeBinder, type VolumesBound } from './volume-binder';
import type { VolumePromise } from './volume-view';

const SELECTED = 'volume.kubernetes.io/selected-node';

const claim = (name: string, volumeName = '', annotations = {}): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace: 'default', uid: `uid-${name}`, annotations },
  spec: { volumeName },
});
const volume = (name: string, nodes: readonly string[], owner?: string): PersistentVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name },
  spec: {
    ...(owner === undefined
      ? {}
      : { claimRef: { namespace: 'default', name: owner, uid: `uid-${owner}` } }),
    nodeAffinity: {
      required: {
        nodeSelectorTerms: [
          {
            matchExpressions: [
              { key: 'kubernetes.io/hostname', operator: 'In', values: [...nodes] },
            ],
          },
        ],
      },
    },
  },
});

/** The binder over objects that the test changes, and what became of one binding. */
const begin = (
  objects: readonly (PersistentVolume | PersistentVolumeClaim)[],
  promised: Partial<VolumePromise>,
) => {
  const clock = new ManualClock(0);
  const stored = new Map<string, ApiObject>();
  const world = { isWanted: true, failure: undefined as ApiError | undefined, updateCount: 0 };
  const put = (object: ApiObject) => stored.set(`${object.kind}/${keyOf(object)}`, object);
  for (const object of objects) put(object);
  const view = (kind: string) => ({
    get: (key: string) => stored.get(`${kind}/${key}`),
    noteWritten: put,
  });
  const client = {
    update: (_resource: Resource, object: ApiObject) => {
      if (world.failure !== undefined) return Promise.reject(world.failure);
      world.updateCount++;
      return Promise.resolve(object);
    },
  } as unknown as ApiClient;
  const binder = new VolumeBinder({
    ...{ client, clock },
    claims: view('PersistentVolumeClaim'),
    volumes: view('PersistentVolume'),
    node: (name) => testNode(name),
    isWanted: () => world.isWanted,
  });
  const promise = { matches: [], provisions: [], nodeName: 'n1', ...promised };
  const stop = new AbortController();
  const outcome: { value?: VolumesBound } = {};
  const settled = async (): Promise<VolumesBound | undefined> => {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    return outcome.value;
  };
  const start = () =>
    void binder
      .bind(testPod('p'), promise, 600_000, stop.signal)
      .then((value) => (outcome.value = value));
  const change = (object: ApiObject) => {
    put(object);
    binder.changed('default/c');
  };
  return { world, stored, start, settled, change, clock, stop, binder };
};

const MATCH = { matches: [{ claim: 'default/c', volumeName: 'v' }] };
const MADE = { provisions: ['default/c'] };
const DONE = { 'pv.kubernetes.io/bind-completed': 'yes' };

it('reserves the volume that was found, and is done when the claim is bound', async () => {
  const { start, settled, stored, change, world } = begin([claim('c'), volume('v', ['n1'])], MATCH);
  start();
  expect(await settled()).toBeUndefined();
  expect(stored.get('PersistentVolume/v')).toMatchObject({
    metadata: { annotations: { 'pv.kubernetes.io/bound-by-controller': 'yes' } },
    spec: { claimRef: { namespace: 'default', name: 'c', uid: 'uid-c' } },
  });
  change(claim('c', 'v'));
  expect(await settled()).toBeUndefined();
  change(claim('c', 'v', DONE));
  expect(await settled()).toEqual({ kind: 'bound' });
  expect(world.updateCount).toBe(1);
});

it('names the node to who makes volumes, and waits for one that can be reached from it', async () => {
  const { start, settled, stored, change } = begin([claim('c')], MADE);
  start();
  expect(await settled()).toBeUndefined();
  expect(stored.get('PersistentVolumeClaim/default/c')?.metadata.annotations).toEqual({
    [SELECTED]: 'n1',
  });
  change(claim('c', 'v', { ...DONE, [SELECTED]: 'n1' }));
  // The claim says so before the volume is seen.
  expect(await settled()).toBeUndefined();
  change(volume('v', ['n1'], 'c'));
  expect(await settled()).toEqual({ kind: 'bound' });
});

it.each<[string, Partial<VolumePromise>, (world: ReturnType<typeof begin>) => void]>([
  ['binding volumes: provisioning failed for PVC "c"', MADE, ({ change }) => change(claim('c'))],
  [
    'binding volumes: pv "w" node affinity doesn\'t match node "n1": no matching NodeSelectorTerms',
    MADE,
    ({ change }) => {
      change(volume('w', ['n2'], 'c'));
      change(claim('c', 'w', DONE));
    },
  ],
  [
    'binding volumes: pv "v" is not the claim\'s any more',
    MATCH,
    ({ change }) => change(volume('v', ['n1'], 'other')),
  ],
  [
    'binding volumes: persistentvolumeclaim "default/c" not found',
    MATCH,
    ({ stored, binder }) => {
      stored.delete('PersistentVolumeClaim/default/c');
      binder.changed('default/c');
    },
  ],
])('gives up, so that another node may be chosen: %s', async (message, promise, change) => {
  const world = begin([claim('c'), volume('v', ['n1'])], promise);
  world.start();
  expect(await world.settled()).toBeUndefined();
  change(world);
  expect(await world.settled()).toEqual({ kind: 'refused', message });
});

it('gives up when the volume is another’s, or a write is refused', async () => {
  const taken = begin([claim('c'), volume('v', ['n1'], 'other')], MATCH);
  taken.start();
  expect(await taken.settled()).toEqual({
    kind: 'refused',
    message: 'binding volumes: volume "v" has been given to another claim',
  });
  const refused = begin([claim('c')], MADE);
  refused.world.failure = new ApiError('Conflict', 'too late');
  refused.start();
  expect(await refused.settled()).toEqual({
    kind: 'refused',
    message: 'binding volumes: too late',
  });
});

it('gives up after ten minutes, and at once when the pod goes or the scheduler stops', async () => {
  const slow = begin([claim('c')], MADE);
  slow.start();
  await slow.settled();
  for (let passed = 0; passed < 600_000; passed += 30_000) {
    expect(await slow.settled()).toBeUndefined();
    await slow.clock.advance(30_000);
  }
  expect(await slow.settled()).toEqual({ kind: 'refused', message: 'binding volumes: timed out' });
  for (const end of ['pod', 'scheduler'] as const) {
    const world = begin([claim('c')], MADE);
    world.start();
    expect(await world.settled()).toBeUndefined();
    if (end === 'scheduler') world.stop.abort();
    else {
      world.world.isWanted = false;
      world.binder.changed('default/c');
    }
    expect(await world.settled()).toEqual({ kind: 'stopped' });
  }
});
