import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/types';
import { ManualClock } from '../../lib/clock';
import type { VolumeFigures } from '../volumes/volume-figures';
import { VolumeMeter } from './volume-meter';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'volume-meter-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const volume = (name: string): PersistentVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name, uid: `uid-${name}` },
  spec: {
    claimRef: { namespace: 'ns', name, uid: `claim-${name}` },
    ...(name === 'folder'
      ? { local: { path: directory } }
      : { csi: { driver: 'csi.test', volumeHandle: name } }),
  },
});
const claim = (name: string): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace: 'ns', uid: `claim-${name}` },
  spec: { volumeName: name },
});
const pod = (...claims: readonly string[]): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'ns', uid: 'uid-p' },
  spec: {
    containers: [],
    volumes: claims.map((name) => ({ name, persistentVolumeClaim: { claimName: name } })),
  },
  status: {},
});

const setUp = (
  csiFigures: (name: string, signal: AbortSignal) => Promise<VolumeFigures | undefined>,
  claims: readonly string[],
  fileSystem?: (folder: string) => Promise<VolumeFigures>,
) => {
  const clock = new ManualClock();
  const events: string[] = [];
  const asked: string[] = [];
  const meter = new VolumeMeter({
    pods: () => [pod(...claims)],
    claims: { claim: (_ns, name) => claim(name), volume },
    folderOf: ({ spec }) => spec?.local?.path,
    csiFigures: (_pod, { name }, signal) => {
      asked.push(name);
      return csiFigures(name, signal);
    },
    ...(fileSystem === undefined ? {} : { fileSystem }),
    events: { emit: (_object, { reason, message }) => events.push(`${reason}: ${message}`) },
    clock,
  });
  return { meter, clock, events, asked };
};

it('counts the file systems of folders, and what drivers say of theirs, once a minute', async () => {
  const figures = { availableBytes: 1, capacityBytes: 3, usedBytes: 2 };
  const { meter, clock, asked } = setUp(() => Promise.resolve(figures), ['folder', 'disk']);
  const [folder, disk] = await meter.measure();
  expect(folder?.capacityBytes).toBeGreaterThan(0);
  expect(folder?.inodes).toBeGreaterThanOrEqual(0);
  expect(disk).toMatchObject({ ...figures, name: 'disk', namespace: 'ns', claimName: 'disk' });
  await meter.measure();
  expect(asked).toEqual(['disk']);
  await clock.advance(60_000);
  await meter.measure();
  expect(asked).toEqual(['disk', 'disk']);
});

it('leaves out what fails, or does not answer in time', async () => {
  const never = (signal: AbortSignal) =>
    new Promise<undefined>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('aborted')));
    });
  const { meter, clock } = setUp(
    (name, signal) => (name === 'slow' ? never(signal) : Promise.reject(new Error('broken'))),
    ['slow', 'broken', 'folder'],
    // The kernel's answer would race with a clock that is moved by hand.
    () => Promise.resolve({ usedBytes: 2 }),
  );
  const measured = meter.measure();
  await clock.advance(5_000);
  expect((await measured).map(({ name }) => name)).toEqual(['folder']);
});

it('asks once, and goes on without it, for a file system that never answers', async () => {
  const folders: string[] = [];
  const { meter, clock } = setUp(
    () => Promise.resolve({ usedBytes: 2 }),
    ['folder', 'disk'],
    (folder) => {
      folders.push(folder);
      return new Promise(() => undefined);
    },
  );
  for (let round = 0; round < 2; round++) {
    const measured = meter.measure();
    await clock.advance(60_000);
    expect((await measured).map(({ name }) => name)).toEqual(['disk']);
  }
  expect(folders).toEqual([directory]);
});

it('says once of a volume what its driver finds wrong with it', async () => {
  const condition = { abnormal: true, message: 'scratched' };
  const { meter, clock, events } = setUp(() => Promise.resolve({ condition }), ['disk']);
  await meter.measure();
  await clock.advance(60_000);
  await meter.measure();
  expect(events).toEqual(['VolumeConditionAbnormal: Volume disk: scratched']);
});
