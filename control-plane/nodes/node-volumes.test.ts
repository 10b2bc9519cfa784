import { ApiError } from '../../api/errors';
import {
  keyOf,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
} from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import { silentLog } from '../../lib/log';
import type { ObjectView } from './deps';
import { NodeVolumes } from './node-volumes';
import { PodIndex } from './pod-index';

type Handlers<T> = Parameters<ObjectView<T & Pod>['subscribe']>[0];

/** An informer that the test feeds. */
const view = <T extends PersistentVolume | PersistentVolumeClaim | Pod>() => {
  const objects = new Map<string, T>();
  const handlers: Handlers<never>[] = [];
  const informer = {
    get: (key: string) => objects.get(key),
    list: () => objects.values(),
    subscribe: (each: Handlers<never>) => {
      handlers.push(each);
      return () => undefined;
    },
    whenSynced: () => Promise.resolve(),
    noteWritten: () => undefined,
  } as unknown as ObjectView<T>;
  const put = (object: T) => {
    const before = objects.get(keyOf(object));
    objects.set(keyOf(object), object);
    for (const { onAdd, onUpdate } of handlers)
      if (before === undefined) onAdd?.(object as never);
      else onUpdate?.(object as never, before as never);
  };
  return { informer, put };
};

const volume = (name: string, more: object = {}, claim?: string): PersistentVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name, uid: `uid-${name}`, ...more },
  spec: claim === undefined ? {} : { claimRef: { namespace: 'ns', name: claim, uid: 'u' } },
});
const keptBy = (node: string, more: object = {}) => ({
  annotations: { 'dhow.dev/volume-node': node },
  finalizers: ['dhow.dev/volume-folder'],
  ...more,
});
const claim = (name: string, volumeName: string): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace: 'ns', uid: 'u' },
  spec: { volumeName },
});
const pod = (nodeName: string, claimName: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `p-${claimName}`, namespace: 'ns', uid: claimName },
  spec: {
    nodeName,
    containers: [],
    volumes: [{ name: 'v', persistentVolumeClaim: { claimName } }],
  },
  status: {},
});

const setUp = () => {
  const [pods, claims, volumes] = [
    view<Pod>(),
    view<PersistentVolumeClaim>(),
    view<PersistentVolume>(),
  ];
  const nothing = view<never>().informer as never;
  const podIndex = new PodIndex({
    ...{ pods: pods.informer, claims: claims.informer },
    ...{ secrets: nothing, configMaps: nothing, runtimeClasses: nothing },
  });
  const updates: PersistentVolume[] = [];
  const client = {
    update: (_resource: unknown, object: PersistentVolume) => {
      if (object.metadata.name === 'stuck')
        return Promise.reject(new ApiError('ServiceUnavailable', 'no'));
      updates.push(object);
      return Promise.resolve(object);
    },
  } as unknown as ApiClient;
  const nodeVolumes = new NodeVolumes({
    ...{ client, podIndex, log: silentLog },
    ...{ volumes: volumes.informer, claims: claims.informer },
  });
  const heard: string[] = [];
  for (const node of ['n1', 'n2']) nodeVolumes.onChange(node, () => void heard.push(node));
  const names = (node: string) => nodeVolumes.volumesOf(node).map(({ metadata }) => metadata.name);
  return { pods, claims, volumes, nodeVolumes, updates, names, hear: () => heard.splice(0) };
};

it('tells a node of the volumes that its pods use, and of those that it keeps', () => {
  const { pods, claims, volumes, names, hear } = setUp();
  volumes.put(volume('used', {}, 'c'));
  volumes.put(volume('kept', keptBy('n1')));
  volumes.put(volume('other', keptBy('n2'), 'd'));
  expect(hear()).toEqual(['n1', 'n2']);
  claims.put(claim('c', 'used'));
  claims.put(claim('d', 'other'));
  pods.put(pod('n1', 'c'));
  pods.put(pod('n1', 'd'));
  expect(names('n1')).toEqual(['kept', 'used', 'other']);
  expect(names('n2')).toEqual(['other']);
  volumes.put(volume('used', { labels: { a: 'b' } }, 'c'));
  expect(hear()).toEqual(['n1']);
  volumes.put(volume('kept', keptBy('n2')));
  expect(hear()).toEqual(['n1', 'n2']);
  expect([names('n1'), names('n2')]).toEqual([
    ['used', 'other'],
    ['other', 'kept'],
  ]);
});

it('lets go of a volume whose folder its own node has removed, and of no other', async () => {
  const { volumes, nodeVolumes, updates } = setUp();
  const { signal } = new AbortController();
  const going = { deletionTimestamp: '2030-01-01T00:00:00Z' };
  for (const name of ['stuck', 'gone']) volumes.put(volume(name, keptBy('n1', going)));
  volumes.put(volume('live', keptBy('n1')));
  const uids = ['uid-stuck', 'uid-gone', 'uid-live', 'uid-unknown'];
  await nodeVolumes.foldersRemoved('n2', uids, signal);
  expect(updates).toEqual([]);
  // One that cannot be written now is told of again, and keeps no other waiting.
  await nodeVolumes.foldersRemoved('n1', uids, signal);
  expect(updates.map(({ metadata }) => [metadata.name, metadata.finalizers])).toEqual([
    ['gone', []],
  ]);
});
