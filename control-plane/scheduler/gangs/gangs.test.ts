import fc from 'fast-check';
import { POD_GROUP_LABEL, type PodGroup } from '../../../api/pod-groups';
import {
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  POD_GROUPS,
  PODS,
  STORAGE_CLASSES,
  type Resource,
} from '../../../api/resources';
import type { ApiObject, ObjectName, PersistentVolume, Pod } from '../../../api/types';
import { ManualClock } from '../../../lib/clock';
import { silentLog } from '../../../lib/log';
import { seededRandom } from '../../../lib/random';
import { decide } from '../decide';
import { podInfoOf } from '../pod-info';
import { createScheduler } from '../scheduler';
import { Snapshot } from '../snapshot';
import { FakeApi, FakeEvents, testNode, testPod, type PodOptions } from '../testing';
import { placeTogether } from './place-together';

const member = (group: string, name: string, options: PodOptions = {}): Pod => {
  const pod = testPod(name, options);
  return { ...pod, metadata: { ...pod.metadata, labels: { [POD_GROUP_LABEL]: group } } };
};
const groupOf = (name: string, spec: PodGroup['spec'], status = {}): PodGroup => ({
  apiVersion: 'scheduling.x-k8s.io/v1alpha1',
  kind: 'PodGroup',
  metadata: { name, namespace: 'default', uid: `uid-${name}` },
  ...(spec === undefined ? {} : { spec }),
  status,
});

/** Pods that are to end are there until they are taken. */
class SlowlyEnding extends FakeApi {
  override async delete<T extends ApiObject>(resource: Resource<T>, name: ObjectName) {
    const object = await this.get(resource, name);
    const deletionTimestamp = '2026-01-01T00:00:00Z';
    this.put(resource, { ...object, metadata: { ...object.metadata, deletionTimestamp } });
  }
}

const start = (api: FakeApi) => {
  const clock = new ManualClock(1_000_000);
  const events = new FakeEvents();
  const random = seededRandom(1);
  const scheduler = createScheduler({
    client: api,
    clock,
    random,
    log: silentLog,
    events,
    seed: 7,
  });
  const abort = new AbortController();
  const running = scheduler.run(abort.signal);
  const stop = async () => {
    abort.abort();
    await running;
  };
  return { clock, events, stop, scheduler };
};

const until = async (clock: ManualClock, condition: () => boolean) => {
  for (let turn = 0; turn < 20_000; turn++) {
    if (condition()) return;
    await clock.advance(0);
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('condition not reached');
};

const listed = async ({ decisions }: ReturnType<typeof createScheduler>) => {
  const result = await decisions.list?.(undefined, new AbortController().signal);
  return result ?? { items: [] };
};

const messageOf = (api: FakeApi, name: string) =>
  api.pod(name).status.conditions?.find(({ type }) => type === 'PodScheduled')?.message;
const boundNames = (api: FakeApi) =>
  [...api.objects.values()]
    .filter(({ kind }) => kind === 'Pod')
    .filter((pod) => (pod as Pod).spec.nodeName !== undefined)
    .map(({ metadata }) => metadata.name)
    .sort();

/** For pods of a class without provisioner that wait for their node, each with a claim of its name. */
const putVolume = (api: FakeApi, name: string) =>
  api.put(PERSISTENT_VOLUMES, {
    ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name, uid: `uid-${name}` } },
    spec: {
      ...{ capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] },
      ...{ storageClassName: 'local', local: { path: '/srv' } },
    },
    status: { phase: 'Available' },
  });
const putClaiming = (api: FakeApi, pod: Pod) => {
  const { name } = pod.metadata;
  api.put(PERSISTENT_VOLUME_CLAIMS, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace: 'default', uid: `uid-claim-${name}` },
    spec: {
      ...{ accessModes: ['ReadWriteOnce'], storageClassName: 'local' },
      resources: { requests: { storage: '1Gi' } },
    },
    status: { phase: 'Pending' },
  });
  const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: name } }];
  api.putPod({ ...pod, spec: { ...pod.spec, volumes } });
};
const claimants = (api: FakeApi) =>
  [...api.objects.values()]
    .filter(({ kind }) => kind === 'PersistentVolume')
    .flatMap((volume) => (volume as PersistentVolume).spec?.claimRef?.name ?? [])
    .sort();

describe('a pod group', () => {
  it('is placed whole, and its members one by one once it is', async () => {
    const api = new FakeApi();
    api.put(POD_GROUPS, groupOf('g', { minMember: 2 }));
    api.putNode(testNode('n1', { cpu: '2' }));
    api.putNode(testNode('n2', { cpu: '1' }));
    for (const name of ['a', 'b', 'c', 'd']) api.putPod(member('g', name, { cpu: '1' }));
    const { clock, stop } = start(api);
    await until(clock, () => boundNames(api).length === 3 && messageOf(api, 'd') !== undefined);
    expect(boundNames(api)).toEqual(['a', 'b', 'c']);
    expect(messageOf(api, 'd')).toContain('2 Insufficient cpu');
    await stop();
  });

  it('waits for members that are not there, says so, and goes on when they come', async () => {
    const api = new FakeApi();
    api.put(POD_GROUPS, groupOf('g', { minMember: 2 }));
    api.putNode(testNode('n1', { cpu: '4' }));
    api.putPod(member('g', 'a', { cpu: '1' }));
    const { clock, stop } = start(api);
    await until(clock, () => messageOf(api, 'a') !== undefined);
    expect(messageOf(api, 'a')).toBe(
      '0/1 nodes are available: pre-filter pod default/a cannot find enough sibling pods, ' +
        'current pods number: 1, minMember of group: 2. no new claims to deallocate',
    );
    api.putPod(member('g', 'b', { cpu: '1' }));
    await until(clock, () => boundNames(api).length === 2);
    await stop();
  });

  it('costs one attempt for each member that comes while there are too few', async () => {
    const api = new FakeApi();
    api.put(POD_GROUPS, groupOf('g', { minMember: 13 }));
    api.putNode(testNode('n1', { cpu: '16' }));
    const { clock, events, stop } = start(api);
    const names = Array.from('abcdefghijkl');
    for (const name of names) {
      api.putPod(member('g', name, { cpu: '1' }));
      await until(clock, () => messageOf(api, name) !== undefined);
    }
    const told = events.said.filter(({ reason }) => reason === 'FailedScheduling');
    expect(told.map(({ object }) => object)).toEqual(names);
    expect(messageOf(api, 'l')).toContain('current pods number: 12, minMember of group: 13');
    // Those told of fewer are told anew, at the pace of their backoff.
    await clock.advance(11_000);
    await until(clock, () => messageOf(api, 'a')?.includes('current pods number: 12') === true);
    api.putPod(member('g', 'm', { cpu: '1' }));
    await until(clock, () => boundNames(api).length === 13);
    await stop();
  });

  it('is not placed in part, names who is in the way, and is placed when there is room', async () => {
    const api = new FakeApi();
    api.put(POD_GROUPS, groupOf('g', { minMember: 3 }));
    api.putNode(testNode('n1', { cpu: '2' }));
    for (const name of ['a', 'b', 'c']) api.putPod(member('g', name, { cpu: '1' }));
    api.putPod(testPod('later', { cpu: '2' }));
    const { clock, stop } = start(api);
    await until(clock, () => messageOf(api, 'c') !== undefined && boundNames(api).length === 1);
    // Nothing is held for a group that does not fit: another has the node.
    expect(boundNames(api)).toEqual(['later']);
    expect(messageOf(api, 'a')).toBe(
      'PodGroup default/g: 2 of the 3 members that it lacks fit at once; default/c: ' +
        '0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate',
    );
    expect(messageOf(api, 'c')).toContain('1 Insufficient cpu');
    api.putNode(testNode('n2', { cpu: '3' }));
    await clock.advance(11_000);
    await until(clock, () => boundNames(api).length === 4);
    await stop();
  });

  it('has a volume for each member that needs one, or none of them', async () => {
    const api = new FakeApi();
    api.put(STORAGE_CLASSES, {
      ...{ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: 'local' } },
      ...{ provisioner: 'kubernetes.io/no-provisioner', volumeBindingMode: 'WaitForFirstConsumer' },
    });
    api.put(POD_GROUPS, groupOf('g', { minMember: 2 }));
    api.putNode(testNode('n1'));
    putVolume(api, 'v1');
    for (const name of ['a', 'b']) putClaiming(api, member('g', name));
    const { clock, stop } = start(api);
    await until(clock, () => boundNames(api).length > 0 || messageOf(api, 'b') !== undefined);
    expect(boundNames(api)).toEqual([]);
    expect(messageOf(api, 'b')).toContain("1 node(s) didn't find available persistent volumes");
    expect(claimants(api)).toEqual([]);
    // What was held while the others were tried is free again.
    putVolume(api, 'v2');
    await clock.advance(11_000);
    await until(clock, () => claimants(api).length === 2);
    expect(claimants(api)).toEqual(['a', 'b']);
    await stop();
  });

  it('does not stop another of which each could have half of the room', async () => {
    const api = new FakeApi();
    for (const group of ['g', 'h']) {
      api.put(POD_GROUPS, groupOf(group, { minMember: 3 }));
      for (const name of ['a', 'b', 'c'])
        api.putPod(member(group, `${group}${name}`, { cpu: '1' }));
    }
    api.putNode(testNode('n1', { cpu: '4' }));
    const { clock, stop } = start(api);
    await until(clock, () => boundNames(api).length === 3 && messageOf(api, 'ha') !== undefined);
    expect(boundNames(api)).toEqual(['ga', 'gb', 'gc']);
    for (const name of ['ga', 'gb', 'gc']) await api.delete(PODS, { namespace: 'default', name });
    await clock.advance(11_000);
    await until(clock, () => boundNames(api).length === 3);
    expect(boundNames(api)).toEqual(['ha', 'hb', 'hc']);
    await stop();
  });

  it('that a crash left in part goes before all others', async () => {
    const api = new FakeApi();
    api.put(POD_GROUPS, groupOf('g', { minMember: 2 }, { phase: 'Scheduling' }));
    api.putNode(testNode('n1', { cpu: '2' }));
    api.putPod(testPod('first', { cpu: '1', priority: 100, preemptionPolicy: 'Never' }));
    api.putPod(member('g', 'a', { cpu: '1', nodeName: 'n1' }));
    api.putPod(member('g', 'b', { cpu: '1' }));
    const { clock, stop } = start(api);
    await until(clock, () => messageOf(api, 'first') !== undefined && boundNames(api).length > 1);
    expect(boundNames(api)).toEqual(['a', 'b']);
    await stop();
  });

  it('that a crash left in part is tried once, however many of it wait', async () => {
    const api = new FakeApi();
    api.put(POD_GROUPS, groupOf('g', { minMember: 6 }, { phase: 'Scheduling' }));
    api.putNode(testNode('n1', { cpu: '1' }));
    api.putPod(member('g', 'a', { cpu: '1', nodeName: 'n1' }));
    const names = ['b', 'c', 'd', 'e', 'f'];
    for (const name of names) api.putPod(member('g', name, { cpu: '1' }));
    api.putPod(testPod('last', { cpu: '1' }));
    const { clock, events, stop } = start(api);
    await until(clock, () => messageOf(api, 'last') !== undefined);
    const told = events.said.filter(({ reason }) => reason === 'FailedScheduling');
    expect(told.map(({ object }) => object).sort()).toEqual([...names, 'last']);
    await stop();
  });

  it('gives its room back where the rest does not fit in time, unless it has been whole', async () => {
    for (const [phase, stays] of [
      ['Scheduling', false],
      ['Unknown', true],
    ] as const) {
      const api = new FakeApi();
      const spec = { minMember: 2, scheduleTimeoutSeconds: 30 };
      api.put(POD_GROUPS, groupOf('g', spec, { phase }));
      api.putNode(testNode('n1', { cpu: '1' }));
      api.putPod(member('g', 'a', { cpu: '1', nodeName: 'n1' }));
      api.putPod(member('g', 'b', { cpu: '1' }));
      const { clock, events, stop, scheduler } = start(api);
      await until(clock, () => messageOf(api, 'b') !== undefined);
      const { status } = await scheduler.explanations.get(
        { namespace: 'default', name: 'b' },
        new URLSearchParams(),
        new AbortController().signal,
      );
      const endsAt = new Date(clock.now() + 30_000).toISOString().slice(0, 19);
      expect(status.groupEndsAt?.slice(0, 19)).toBe(stays ? undefined : endsAt);
      await clock.advance(29_000);
      expect(boundNames(api)).toEqual(['a']);
      await clock.advance(2_000);
      if (!stays) await until(clock, () => api.objects.get('pods/default/a') === undefined);
      expect(boundNames(api)).toEqual(stays ? ['a'] : []);
      const told = events.said.filter(({ reason }) => reason === 'PodGroupTimeout');
      expect(told.map(({ object }) => object)).toEqual(stays ? [] : ['a']);
      await stop();
    }
  });

  it('keeps a member that has done its part when it gives its room back', async () => {
    const api = new FakeApi();
    const spec = { minMember: 3, scheduleTimeoutSeconds: 30 };
    api.put(POD_GROUPS, groupOf('g', spec, { phase: 'Scheduling' }));
    api.putNode(testNode('n1', { cpu: '1' }));
    api.putPod(member('g', 'done', { cpu: '1', nodeName: 'n1', phase: 'Succeeded' }));
    api.putPod(member('g', 'runs', { cpu: '1', nodeName: 'n1', phase: 'Running' }));
    api.putPod(member('g', 'waits', { cpu: '1' }));
    const { clock, stop } = start(api);
    await until(clock, () => messageOf(api, 'waits') !== undefined);
    await clock.advance(31_000);
    await until(clock, () => api.objects.get('pods/default/runs') === undefined);
    expect(boundNames(api)).toEqual(['done']);
    await stop();
  });

  it('has pods of less priority end only where it is whole then, and gets their room', async () => {
    const api = new FakeApi();
    api.put(POD_GROUPS, groupOf('g', { minMember: 3 }));
    for (const node of ['n1', 'n2', 'n3']) api.putNode(testNode(node, { cpu: '2' }));
    const low = (name: string, nodeName: string, priority: number) =>
      api.putPod(testPod(name, { cpu: '1', nodeName, priority, phase: 'Running' }));
    low('x', 'n1', 1);
    low('y', 'n2', 1);
    low('z', 'n2', 200);
    for (const name of ['a', 'b', 'c']) api.putPod(member('g', name, { cpu: '2', priority: 100 }));
    const { clock, events, stop, scheduler } = start(api);
    await until(clock, () => messageOf(api, 'c') !== undefined);
    // On n2 one stays whose priority is more: only two of the three would fit.
    expect(messageOf(api, 'b')).toBe(
      '0/3 nodes are available: 3 Insufficient cpu. no new claims to deallocate, preemption: ' +
        'the end of no pods of less priority would let PodGroup default/g be whole.',
    );
    expect(api.objects.has('pods/default/x')).toBe(true);
    expect(api.pod('a').status.nominatedNodeName).toBeUndefined();

    await api.delete(PODS, { namespace: 'default', name: 'z' });
    await clock.advance(11_000);
    await until(clock, () => boundNames(api).length === 3);
    expect(boundNames(api)).toEqual(['a', 'b', 'c']);
    const ended = events.said.filter(({ reason }) => reason === 'Preempted');
    expect(ended.map(({ object }) => object).sort()).toEqual(['x', 'y']);
    const { items } = await listed(scheduler);
    const told = items.filter(({ status }) => status.preemption !== undefined);
    expect(told.flatMap(({ status }) => status.preemption?.victims).sort()).toEqual([
      ...['default/x', 'default/y'],
    ]);
    expect(told[0]?.status.message).toContain(
      'preemption: 2 pods of less priority are evicted so that PodGroup default/g can be whole.',
    );
    await stop();
  });

  it('keeps the room that is being made for it, of all nodes, until they have ended', async () => {
    const api = new SlowlyEnding();
    api.put(POD_GROUPS, groupOf('g', { minMember: 2 }));
    for (const node of ['n1', 'n2']) api.putNode(testNode(node, { cpu: '2' }));
    for (const [name, nodeName] of [
      ['x', 'n1'],
      ['y', 'n2'],
    ] as const)
      api.putPod(testPod(name, { cpu: '2', nodeName, phase: 'Running' }));
    for (const name of ['a', 'b']) api.putPod(member('g', name, { cpu: '2', priority: 100 }));
    const { clock, events, stop } = start(api);
    await until(clock, () => events.said.filter((each) => each.reason === 'Preempted').length > 1);
    await until(clock, () => api.pod('b').status.nominatedNodeName !== undefined);
    const promised = () => ['a', 'b'].map((name) => api.pod(name).status.nominatedNodeName);
    expect(promised().sort()).toEqual(['n1', 'n2']);
    api.putPod(testPod('small', { cpu: '1', priority: 50 }));
    // One of the two has ended: its room is nobody else's.
    for (const name of ['x', 'y']) {
      await clock.advance(11_000);
      await until(clock, () => messageOf(api, 'small') !== undefined);
      expect(boundNames(api)).not.toContain('small');
      api.take(PODS, api.pod(name));
    }
    await clock.advance(11_000);
    await until(clock, () => boundNames(api).length === 2);
    expect(boundNames(api)).toEqual(['a', 'b']);
    expect(events.said.filter((each) => each.reason === 'Preempted')).toHaveLength(2);
    await stop();
  });

  it('has its places where room was made for them, when its members would take them from each other', async () => {
    const api = new FakeApi();
    api.put(POD_GROUPS, groupOf('g', { minMember: 2 }));
    // The one that may be anywhere is best off on the node where alone the other one can be.
    api.putNode(testNode('small', { cpu: '1' }));
    api.putNode(testNode('large', { cpu: '64', labels: { size: 'large' } }));
    api.putPod(testPod('x', { cpu: '63500m', nodeName: 'large', priority: 1, phase: 'Running' }));
    api.putPod(member('g', 'a', { cpu: '1', priority: 100 }));
    const nodeSelector = { size: 'large' };
    api.putPod(member('g', 'b', { cpu: '63500m', priority: 100, nodeSelector }));
    const { clock, events, stop } = start(api);
    await until(clock, () => api.pod('b').status.nominatedNodeName !== undefined);
    await clock.advance(11_000);
    await until(clock, () => boundNames(api).length === 2);
    expect(['a', 'b'].map((name) => api.pod(name).spec.nodeName)).toEqual(['small', 'large']);
    expect(events.said.filter((each) => each.reason === 'Preempted')).toHaveLength(1);
    await stop();
  });

  it('that is not there does not hold a pod that names it', async () => {
    const api = new FakeApi();
    api.putNode(testNode('n1'));
    api.putPod(member('nobody', 'a'));
    const { clock, stop } = start(api);
    await until(clock, () => boundNames(api).length === 1);
    await stop();
  });
});

it('leaves the cluster as it was, or enough in it, whatever the members ask for', () => {
  const cpu = fc.constantFrom('100m', '500m', '1', '2', '5');
  fc.assert(
    fc.property(
      fc.array(cpu, { minLength: 1, maxLength: 4 }),
      fc.array(cpu, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 6 }),
      (nodes, pods, needed) => {
        const snapshot = new Snapshot();
        nodes.forEach((each, i) => snapshot.setNode(testNode(`n${i}`, { cpu: each })));
        const members = pods.map((each, i) => ({
          info: podInfoOf(testPod(`p${i}`, { cpu: each })),
        }));
        const { isWhole, placed, refused, untried } = placeTogether(
          members,
          needed,
          snapshot,
          ({ info }) => decide(info, snapshot, 1),
        );
        expect(placed.length + refused.length + untried.length).toBe(members.length);
        expect(isWhole).toBe(placed.length >= needed);
        expect(snapshot.assumedCount).toBe(isWhole ? placed.length : 0);
        for (const { allocatable, requestedCpuMillis } of snapshot.nodes)
          expect(requestedCpuMillis).toBeLessThanOrEqual(allocatable.cpuMillis);
      },
    ),
  );
});
