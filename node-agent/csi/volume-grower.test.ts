import * as fc from 'fast-check';

import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/types';
import { onAbort } from '../../lib/async/on-abort';
import { ManualClock } from '../../lib/clock';
import { growthDue, VolumeGrower } from './volume-grower';

const volume = (storage: string, driver = 'csi.test'): PersistentVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: 'pv', uid: 'uid-pv' },
  spec: {
    capacity: { storage },
    claimRef: { namespace: 'ns', name: 'c', uid: 'uid-c' },
    csi: { driver, volumeHandle: 'h' },
  },
});
const claim = (storage: string, more: object = {}): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'c', namespace: 'ns', uid: 'uid-c' },
  spec: { volumeName: 'pv' },
  status: { phase: 'Bound', capacity: { storage }, ...more },
});
const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'ns', uid: 'uid-p' },
  spec: { containers: [] },
  status: {},
};

const setUp = (failure = '', stuckDriver?: string) => {
  const clock = new ManualClock();
  const events: string[] = [];
  const asked: string[] = [];
  const state = { volume: volume('2Gi'), claim: claim('1Gi'), failure, isReadOnly: false };
  const grower = new VolumeGrower({
    pods: () => [pod],
    csiVolumesOf: () =>
      [...(stuckDriver === undefined ? [] : [volume('9Gi', stuckDriver)]), state.volume].map(
        (each) => ({ name: 'v', volume: each, isReadOnly: state.isReadOnly }),
      ),
    claims: { claim: () => state.claim, volume: () => state.volume },
    volumes: {
      grow: (_pod, _volume, storage, signal) => {
        asked.push(storage);
        if (storage === '9Gi')
          return new Promise((_resolve, reject) => {
            onAbort(signal, () => reject(new Error('called off')));
          });
        if (state.failure !== '') return Promise.reject(new Error(state.failure));
        return Promise.resolve(true);
      },
    },
    events: {
      emit: ({ kind }, { reason, message }) => events.push(`${kind} ${reason}: ${message}`),
    },
    ...{ nodeName: 'n1', settings: { housekeepingMs: 1_000 }, clock },
  });
  const stop = new AbortController();
  const running = grower.run(stop.signal);
  const end = async () => {
    stop.abort();
    grower.changed();
    await running;
  };
  return { grower, clock, events, asked, state, end };
};

it('has a volume grown once, and says so for as long as the claim does not know', async () => {
  const { grower, clock, events, asked, state, end } = setUp();
  await clock.advance(0);
  expect(grower.takeGrown(9)).toEqual([{ uid: 'uid-pv', storage: '2Gi' }]);
  expect(grower.takeGrown(9)).toEqual([]);
  await clock.advance(1_000);
  expect(grower.takeGrown(9)).toEqual([{ uid: 'uid-pv', storage: '2Gi' }]);
  state.claim = claim('2Gi');
  await clock.advance(1_000);
  expect(grower.takeGrown(9)).toEqual([]);
  expect(asked).toEqual(['2Gi']);
  const message = 'MountVolume.NodeExpandVolume succeeded for volume "pv" n1';
  expect(events).toEqual([
    `Pod FileSystemResizeSuccessful: ${message}`,
    `PersistentVolumeClaim FileSystemResizeSuccessful: ${message}`,
  ]);
  await end();
});

it('asks a driver again that has failed, and grows nothing that is read-only', async () => {
  const { grower, clock, events, asked, state, end } = setUp(
    'rpc error: code = Internal desc = busy',
  );
  await clock.advance(0);
  await clock.advance(1_000);
  expect(asked).toHaveLength(2);
  expect(grower.takeGrown(9)).toEqual([]);
  expect(events[0]).toBe(
    'Pod VolumeResizeFailed: NodeExpandVolume.NodeExpandVolume failed for volume "pv" : ' +
      state.failure,
  );
  state.isReadOnly = true;
  await clock.advance(1_000);
  expect(asked).toHaveLength(2);
  await end();
});

it('waits for no driver that does not answer, and asks it no second time meanwhile', async () => {
  const { grower, clock, asked, end } = setUp('', 'csi.stuck');
  await clock.advance(0);
  expect(grower.takeGrown(9)).toEqual([{ uid: 'uid-pv', storage: '2Gi' }]);
  await clock.advance(1_000);
  expect(grower.takeGrown(9)).toEqual([{ uid: 'uid-pv', storage: '2Gi' }]);
  expect(asked).toEqual(['9Gi', '2Gi']);
  await end();
});

it('is due where both name each other and the volume is larger than the claim knows', () => {
  const sizes = fc.integer({ min: 1, max: 50 });
  fc.assert(
    fc.property(sizes, sizes, (is, known) => {
      const due = growthDue(volume(`${is}Gi`), claim(`${known}Gi`));
      expect(due).toBe(is > known ? `${is}Gi` : undefined);
    }),
  );
  const stranger = { ...claim('1Gi'), spec: { volumeName: 'other' } };
  expect(growthDue(volume('2Gi'), stranger)).toBeUndefined();
  expect(growthDue(volume('2Gi'), claim('1Gi', { phase: 'Lost' }))).toBeUndefined();
});
